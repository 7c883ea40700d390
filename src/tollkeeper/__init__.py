"""The services core of an AI product, as one library that hosts embed.

>>> async with open_tollkeeper(Settings.load(environment="local")) as tk:
...     issued = await tk.issue_key(account="acme", scopes={"chat:complete"})

Importing this package loads nothing; each public name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tollkeeper.application.held_lock import HeldLock
    from tollkeeper.application.key_pools import PoolKey
    from tollkeeper.application.outbox_messages import Delivered
    from tollkeeper.application.run_tools import RunEnd, ToolFunction, ToolRun
    from tollkeeper.application.stream_completion import CompletionStream
    from tollkeeper.domain.api_keys import ApiKey, IssuedKey
    from tollkeeper.domain.attempts import Attempt, Billed, Outcome, Settlement
    from tollkeeper.domain.audit import AuditEntry, AuditHead
    from tollkeeper.domain.broadcasts import BroadcastGap, BroadcastMessage
    from tollkeeper.domain.catalogue import Capability, Catalogue, ModelCard
    from tollkeeper.domain.completions import (
        Completion,
        Delta,
        FinishReason,
        Receipt,
        TokenLogprob,
        TokenUsage,
        ToolCallDelta,
    )
    from tollkeeper.domain.credentials import Credential, StoredCredential
    from tollkeeper.domain.embeddings import Embeddings
    from tollkeeper.domain.errors import (
        ConfigurationError,
        Conflict,
        DomainError,
        IdempotencyConflict,
        InsufficientCredit,
        InvalidRequest,
        NotFound,
        PermissionDenied,
        PortError,
        QuotaExceeded,
        RateLimited,
        TollkeeperError,
        Unauthenticated,
        Unsupported,
    )
    from tollkeeper.domain.event_logs import (
        EventsLost,
        LogEnded,
        LoggedEvent,
        LogLimits,
        SlowSubscriber,
    )
    from tollkeeper.domain.filters import Everything, col
    from tollkeeper.domain.health import Health, PartHealth
    from tollkeeper.domain.key_limits import KeyLimit, OnOutage, Quota
    from tollkeeper.domain.ledger import Balance, Entry
    from tollkeeper.domain.locks import LeaseLost, LockTaken
    from tollkeeper.domain.messages import (
        AudioPart,
        FilePart,
        ImagePart,
        Message,
        ReasoningPart,
        Role,
        TextPart,
        ToolCall,
        assistant,
        system,
        tool_result,
        user,
    )
    from tollkeeper.domain.meters import Meter, Provenance
    from tollkeeper.domain.money import Money
    from tollkeeper.domain.outbox import Delivery, DeliveryState
    from tollkeeper.domain.plans import Plan
    from tollkeeper.domain.principals import Principal
    from tollkeeper.domain.prompt_cache import PromptCache
    from tollkeeper.domain.queries import Order, Page
    from tollkeeper.domain.quirks import Quirks
    from tollkeeper.domain.rate_limits import RateLimit
    from tollkeeper.domain.secret import Secret
    from tollkeeper.domain.table_values import Kind
    from tollkeeper.domain.tables import Column, Function, Reference, Table
    from tollkeeper.domain.tools import JsonSchema, Tool
    from tollkeeper.domain.transcripts import Transcript
    from tollkeeper.domain.usage import UsageReport
    from tollkeeper.infra.bootstrap import open_tollkeeper
    from tollkeeper.infra.facade import Tollkeeper
    from tollkeeper.infra.settings import Settings
    from tollkeeper.infra.sync_facade import SyncTollkeeper, open_tollkeeper_sync

_HOMES = {
    "application.held_lock": ("HeldLock",),
    "application.key_pools": ("PoolKey",),
    "application.outbox_messages": ("Delivered",),
    "application.run_tools": ("RunEnd", "ToolFunction", "ToolRun"),
    "application.stream_completion": ("CompletionStream",),
    "domain.api_keys": ("ApiKey", "IssuedKey"),
    "domain.attempts": ("Attempt", "Billed", "Outcome", "Settlement"),
    "domain.audit": ("AuditEntry", "AuditHead"),
    "domain.broadcasts": ("BroadcastGap", "BroadcastMessage"),
    "domain.catalogue": ("Capability", "Catalogue", "ModelCard"),
    "domain.completions": (
        "Completion",
        "Delta",
        "FinishReason",
        "Receipt",
        "TokenLogprob",
        "TokenUsage",
        "ToolCallDelta",
    ),
    "domain.credentials": ("Credential", "StoredCredential"),
    "domain.embeddings": ("Embeddings",),
    "domain.errors": (
        "ConfigurationError",
        "Conflict",
        "DomainError",
        "IdempotencyConflict",
        "InsufficientCredit",
        "InvalidRequest",
        "NotFound",
        "PermissionDenied",
        "PortError",
        "QuotaExceeded",
        "RateLimited",
        "TollkeeperError",
        "Unauthenticated",
        "Unsupported",
    ),
    "domain.event_logs": ("EventsLost", "LogEnded", "LogLimits", "LoggedEvent", "SlowSubscriber"),
    "domain.filters": ("Everything", "col"),
    "domain.health": ("Health", "PartHealth"),
    "domain.key_limits": ("KeyLimit", "OnOutage", "Quota"),
    "domain.ledger": ("Balance", "Entry"),
    "domain.locks": ("LeaseLost", "LockTaken"),
    "domain.messages": (
        "AudioPart",
        "FilePart",
        "ImagePart",
        "Message",
        "ReasoningPart",
        "Role",
        "TextPart",
        "ToolCall",
        "assistant",
        "system",
        "tool_result",
        "user",
    ),
    "domain.meters": ("Meter", "Provenance"),
    "domain.money": ("Money",),
    "domain.outbox": ("Delivery", "DeliveryState"),
    "domain.plans": ("Plan",),
    "domain.principals": ("Principal",),
    "domain.prompt_cache": ("PromptCache",),
    "domain.queries": ("Order", "Page"),
    "domain.quirks": ("Quirks",),
    "domain.rate_limits": ("RateLimit",),
    "domain.secret": ("Secret",),
    "domain.table_values": ("Kind",),
    "domain.tables": ("Column", "Function", "Reference", "Table"),
    "domain.tools": ("JsonSchema", "Tool"),
    "domain.transcripts": ("Transcript",),
    "domain.usage": ("UsageReport",),
    "infra.bootstrap": ("open_tollkeeper",),
    "infra.facade": ("Tollkeeper",),
    "infra.settings": ("Settings",),
    "infra.sync_facade": ("SyncTollkeeper", "open_tollkeeper_sync"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ApiKey",
    "Attempt",
    "AudioPart",
    "AuditEntry",
    "AuditHead",
    "Balance",
    "Billed",
    "BroadcastGap",
    "BroadcastMessage",
    "Capability",
    "Catalogue",
    "Column",
    "Completion",
    "CompletionStream",
    "ConfigurationError",
    "Conflict",
    "Credential",
    "Delivered",
    "Delivery",
    "DeliveryState",
    "Delta",
    "DomainError",
    "Embeddings",
    "Entry",
    "EventsLost",
    "Everything",
    "FilePart",
    "FinishReason",
    "Function",
    "Health",
    "HeldLock",
    "IdempotencyConflict",
    "ImagePart",
    "InsufficientCredit",
    "InvalidRequest",
    "IssuedKey",
    "JsonSchema",
    "KeyLimit",
    "Kind",
    "LeaseLost",
    "LockTaken",
    "LogEnded",
    "LogLimits",
    "LoggedEvent",
    "Message",
    "Meter",
    "ModelCard",
    "Money",
    "NotFound",
    "OnOutage",
    "Order",
    "Outcome",
    "Page",
    "PartHealth",
    "PermissionDenied",
    "Plan",
    "PoolKey",
    "PortError",
    "Principal",
    "PromptCache",
    "Provenance",
    "Quirks",
    "Quota",
    "QuotaExceeded",
    "RateLimit",
    "RateLimited",
    "ReasoningPart",
    "Receipt",
    "Reference",
    "Role",
    "RunEnd",
    "Secret",
    "Settings",
    "Settlement",
    "SlowSubscriber",
    "StoredCredential",
    "SyncTollkeeper",
    "Table",
    "TextPart",
    "TokenLogprob",
    "TokenUsage",
    "Tollkeeper",
    "TollkeeperError",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolFunction",
    "ToolRun",
    "Transcript",
    "Unauthenticated",
    "Unsupported",
    "UsageReport",
    "assistant",
    "col",
    "open_tollkeeper",
    "open_tollkeeper_sync",
    "system",
    "tool_result",
    "user",
]

# Hidden from type checkers: to them a module with a __getattr__ has every name there is.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found: object = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
