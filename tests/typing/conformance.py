"""Every adapter fits its port: checked by mypy, never run.

Adapters do not inherit from ports, so this is where a missing method or a wrong signature shows.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tollkeeper.adapters.anthropic.chat_model import AnthropicChatModel
from tollkeeper.adapters.bpe_openai.token_counter import BpeOpenaiTokenCounter
from tollkeeper.adapters.environment.secret_source import EnvironmentSecretSource
from tollkeeper.adapters.files.secret_source import FilesSecretSource
from tollkeeper.adapters.json_lines.telemetry import JsonLinesTelemetry
from tollkeeper.adapters.jsonschema.schema_validator import JsonschemaSchemaValidator
from tollkeeper.adapters.litellm.chat_model import LitellmChatModel
from tollkeeper.adapters.litellm.embedder import LitellmEmbedder
from tollkeeper.adapters.memory.attempt_log import MemoryAttemptLog
from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.cache import MemoryCache
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.embedder import MemoryEmbedder
from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers
from tollkeeper.adapters.memory.key_store import MemoryKeyStore
from tollkeeper.adapters.memory.ledger import MemoryLedger
from tollkeeper.adapters.memory.plan_store import MemoryPlanStore
from tollkeeper.adapters.memory.rate_limiter import MemoryRateLimiter
from tollkeeper.adapters.memory.schema_validator import MemorySchemaValidator
from tollkeeper.adapters.memory.secret_source import MemorySecretSource
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.adapters.memory.telemetry import MemoryTelemetry
from tollkeeper.adapters.memory.token_counter import MemoryTokenCounter
from tollkeeper.adapters.memory.transcriber import MemoryTranscriber
from tollkeeper.adapters.memory.usage_log import MemoryUsageLog
from tollkeeper.adapters.null.telemetry import NullTelemetry
from tollkeeper.adapters.offline.chat_model import OfflineChatModel
from tollkeeper.adapters.offline.embedder import OfflineEmbedder
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.adapters.openai.embedder import OpenaiEmbedder
from tollkeeper.adapters.pocketsphinx.transcriber import PocketsphinxTranscriber
from tollkeeper.adapters.sqlite.attempt_log import SqliteAttemptLog
from tollkeeper.adapters.sqlite.audit_log import SqliteAuditLog
from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.key_store import SqliteKeyStore
from tollkeeper.adapters.sqlite.ledger import SqliteLedger
from tollkeeper.adapters.sqlite.plan_store import SqlitePlanStore
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.adapters.sqlite.usage_log import SqliteUsageLog
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.adapters.system.identifiers import SystemIdentifiers
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.attempt_log import AttemptLog
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.cache import Cache
from tollkeeper.ports.chat_model import ChatModel
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.embedder import Embedder
from tollkeeper.ports.health import HealthCheck
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.key_store import KeyStore
from tollkeeper.ports.keyed import Keyed
from tollkeeper.ports.ledger import Ledger
from tollkeeper.ports.plan_store import PlanStore
from tollkeeper.ports.rate_limiter import RateLimiter
from tollkeeper.ports.schema_validator import SchemaValidator
from tollkeeper.ports.secret_source import SecretSource
from tollkeeper.ports.store import Store
from tollkeeper.ports.telemetry import Telemetry
from tollkeeper.ports.token_counter import TokenCounter
from tollkeeper.ports.transcriber import Transcriber
from tollkeeper.ports.usage_log import UsageLog

if TYPE_CHECKING:
    # Each adapter fits its port.
    clock = SystemClock()
    identifiers = SystemIdentifiers()
    memory = MemoryDatabase()
    sqlite = Database(Path("nowhere.db"), lock_timeout=5)

    clocks: list[Clock] = [clock, MemoryClock()]
    several_identifiers: list[Identifiers] = [identifiers, MemoryIdentifiers()]
    stores: list[Store] = [MemoryStore(), SqliteStore("nowhere.db")]
    key_stores: list[KeyStore] = [MemoryKeyStore(memory), SqliteKeyStore(sqlite)]
    ledgers: list[Ledger] = [MemoryLedger(memory), SqliteLedger(sqlite)]
    usage_logs: list[UsageLog] = [MemoryUsageLog(memory), SqliteUsageLog(sqlite)]
    plan_stores: list[PlanStore] = [MemoryPlanStore(memory), SqlitePlanStore(sqlite)]
    audit_logs: list[AuditLog] = [MemoryAuditLog(memory), SqliteAuditLog(sqlite)]
    attempt_logs: list[AttemptLog] = [MemoryAttemptLog(memory), SqliteAttemptLog(sqlite)]
    caches: list[Cache] = [MemoryCache(clock)]
    rate_limiters: list[RateLimiter] = [MemoryRateLimiter(clock)]
    telemetries: list[Telemetry] = [
        NullTelemetry(),
        MemoryTelemetry(clock, identifiers),
        JsonLinesTelemetry(Path("nowhere.jsonl"), clock, identifiers),
    ]
    chat_models: list[ChatModel] = [
        MemoryChatModel(),
        OfflineChatModel(),
        OpenaiChatModel("https://host/v1"),
        AnthropicChatModel("https://host"),
        LitellmChatModel("https://host/v1", provider="mistral"),
    ]
    embedders: list[Embedder] = [
        MemoryEmbedder(),
        OfflineEmbedder(),
        OpenaiEmbedder("https://host/v1"),
        LitellmEmbedder("https://host/v1", provider="mistral"),
    ]
    secret_sources: list[SecretSource] = [
        MemorySecretSource(),
        EnvironmentSecretSource({}),
        FilesSecretSource(Path("nowhere")),
    ]
    token_counters: list[TokenCounter] = [MemoryTokenCounter(), BpeOpenaiTokenCounter()]
    schema_validators: list[SchemaValidator] = [
        MemorySchemaValidator(),
        JsonschemaSchemaValidator(),
    ]
    transcribers: list[Transcriber] = [MemoryTranscriber(), PocketsphinxTranscriber()]
    checkable: list[HealthCheck] = [
        SqliteStore("nowhere.db"),
        JsonLinesTelemetry(Path("nowhere.jsonl"), clock, identifiers),
        OfflineChatModel(),
        OpenaiChatModel("https://host/v1"),
        AnthropicChatModel("https://host"),
        LitellmChatModel("https://host/v1", provider="mistral"),
        OpenaiEmbedder("https://host/v1"),
        LitellmEmbedder("https://host/v1", provider="mistral"),
        FilesSecretSource(Path("nowhere")),
        BpeOpenaiTokenCounter(),
        JsonschemaSchemaValidator(),
        PocketsphinxTranscriber(),
    ]
    # What sends a credential says to whom and where; the others take none.
    keyed: list[Keyed] = [
        OpenaiChatModel("https://host/v1"),
        AnthropicChatModel("https://host"),
        LitellmChatModel("https://host/v1", provider="mistral"),
        OpenaiEmbedder("https://host/v1"),
        LitellmEmbedder("https://host/v1", provider="mistral"),
    ]


class MakesStore(Protocol):
    """How the container calls the factory of a store."""

    def __call__(self, url: str) -> Store: ...


class MakesCache(Protocol):
    """How the container calls the factory of a cache."""

    def __call__(self, url: str, *, clock: Clock) -> Cache: ...


class MakesRateLimiter(Protocol):
    """How the container calls the factory of a rate limiter."""

    def __call__(self, url: str, *, clock: Clock) -> RateLimiter: ...


class MakesTelemetry(Protocol):
    """How the container calls the factory of telemetry."""

    def __call__(self, url: str, *, clock: Clock, identifiers: Identifiers) -> Telemetry: ...


class MakesChatModel(Protocol):
    """How the container calls the factory of a chat model."""

    def __call__(self, url: str, *, api_key: Secret | None, provider: str) -> ChatModel: ...


class MakesEmbedder(Protocol):
    """How the container calls the factory of an embedder."""

    def __call__(self, url: str, *, api_key: Secret | None, provider: str) -> Embedder: ...


class MakesSecretSource(Protocol):
    """How the container calls the factory of a secret source."""

    def __call__(self, url: str, *, environ: Mapping[str, str]) -> SecretSource: ...


class MakesTokenCounter(Protocol):
    """How the container calls the factory of a token counter."""

    def __call__(self, url: str) -> TokenCounter: ...


class MakesSchemaValidator(Protocol):
    """How the container calls the factory of a schema validator."""

    def __call__(self, url: str) -> SchemaValidator: ...


class MakesTranscriber(Protocol):
    """How the container calls the factory of a transcriber."""

    def __call__(self, url: str, *, api_key: Secret | None) -> Transcriber: ...


if TYPE_CHECKING:
    # The factory of each adapter that a URL can name is called as the registry says.
    make_stores: list[MakesStore] = [MemoryStore.from_url, SqliteStore.from_url]
    make_caches: list[MakesCache] = [MemoryCache.from_url]
    make_rate_limiters: list[MakesRateLimiter] = [MemoryRateLimiter.from_url]
    make_telemetries: list[MakesTelemetry] = [
        NullTelemetry.from_url,
        MemoryTelemetry.from_url,
        JsonLinesTelemetry.from_url,
    ]
    make_chat_models: list[MakesChatModel] = [
        OfflineChatModel.from_url,
        OpenaiChatModel.from_url,
        AnthropicChatModel.from_url,
        LitellmChatModel.from_url,
    ]
    make_embedders: list[MakesEmbedder] = [
        OfflineEmbedder.from_url,
        OpenaiEmbedder.from_url,
        LitellmEmbedder.from_url,
    ]
    make_secret_sources: list[MakesSecretSource] = [
        EnvironmentSecretSource.from_url,
        FilesSecretSource.from_url,
    ]
    make_token_counters: list[MakesTokenCounter] = [BpeOpenaiTokenCounter.from_url]
    make_schema_validators: list[MakesSchemaValidator] = [JsonschemaSchemaValidator.from_url]
    make_transcribers: list[MakesTranscriber] = [PocketsphinxTranscriber.from_url]


class _Forgetful:
    """A cache without most of its methods."""

    async def get(self, key: str) -> bytes | None: ...


class _Textual:
    """A clock that tells the time as text."""

    def now(self) -> str:
        return "noon"


if TYPE_CHECKING:
    # What does not fit is refused: mypy reports an ignore that is not needed.
    forgetful: Cache = _Forgetful()  # type: ignore[assignment]
    textual: Clock = _Textual()  # type: ignore[assignment]
    wrong_port: Ledger = MemoryUsageLog(MemoryDatabase())  # type: ignore[assignment]
    wrong_factory: MakesStore = MemoryCache.from_url  # type: ignore[assignment]
