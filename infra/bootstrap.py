"""Opening a facade: the only place that knows the container."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TypedDict, Unpack

from attrs import fields

from tollkeeper.application.metered_calls import MeteredCalls
from tollkeeper.application.shielded import shielded
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.infra.container import Container, wire
from tollkeeper.infra.facade import Tollkeeper
from tollkeeper.infra.parts import parts_of
from tollkeeper.infra.settings import Settings
from tollkeeper.ports.attempt_log import AttemptLog
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.broadcast import Broadcast
from tollkeeper.ports.cache import Cache
from tollkeeper.ports.chat_model import ChatModel
from tollkeeper.ports.cipher import Cipher
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.credential_store import CredentialStore
from tollkeeper.ports.data_key_store import DataKeyStore
from tollkeeper.ports.embedder import Embedder
from tollkeeper.ports.event_log import EventLog
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.key_encryption import KeyEncryption
from tollkeeper.ports.key_store import KeyStore
from tollkeeper.ports.ledger import Ledger
from tollkeeper.ports.lock import Lock
from tollkeeper.ports.outbox import Outbox
from tollkeeper.ports.plan_store import PlanStore
from tollkeeper.ports.quota_counter import QuotaCounter
from tollkeeper.ports.rate_limiter import RateLimiter
from tollkeeper.ports.report_verifier import ReportVerifier
from tollkeeper.ports.schema_validator import SchemaValidator
from tollkeeper.ports.secret_source import SecretSource
from tollkeeper.ports.store import Store
from tollkeeper.ports.tables import Tables
from tollkeeper.ports.telemetry import Telemetry
from tollkeeper.ports.token_counter import TokenCounter
from tollkeeper.ports.token_verifier import TokenVerifier
from tollkeeper.ports.transcriber import Transcriber
from tollkeeper.ports.usage_log import UsageLog

# The port has the name already.
_MADE_BY = {
    "cache": "cached_values",
    "broadcast": "broadcasts",
    "outbox": "outbox_messages",
    "tables": "host_tables",
}


class Lent(TypedDict, total=False):
    """Adapters that the host opened and will close; they stand in for those of the settings.

    *store* brings ten ports at once; *chat_models*, *embedders* and *transcribers* are by
    provider, and are added to those of the settings.
    """

    store: Store
    key_store: KeyStore
    ledger: Ledger
    usage_log: UsageLog
    plan_store: PlanStore
    audit_log: AuditLog
    outbox: Outbox
    quota_counter: QuotaCounter
    data_key_store: DataKeyStore
    credential_store: CredentialStore
    cache: Cache
    rate_limiter: RateLimiter
    lock: Lock
    event_log: EventLog
    broadcast: Broadcast
    tables: Tables
    telemetry: Telemetry
    clock: Clock
    identifiers: Identifiers
    attempt_log: AttemptLog
    secret_source: SecretSource
    cipher: Cipher
    key_encryption: KeyEncryption
    token_verifier: TokenVerifier
    report_verifier: ReportVerifier
    token_counter: TokenCounter
    schema_validator: SchemaValidator
    chat_models: Mapping[str, ChatModel]
    embedders: Mapping[str, Embedder]
    transcribers: Mapping[str, Transcriber]


def make_container(settings: Settings | None = None, **lent: Unpack[Lent]) -> Container:
    """Wire *settings* (``Settings.load()`` if None) and what is *lent*; opens nothing.

    Raises:
        ConfigurationError: something unknown is lent, or None, or *settings* are none.
    """
    if settings is None:
        settings = Settings.load()
    if not isinstance(settings, Settings):
        raise ConfigurationError("settings are made by Settings(…) or Settings.load(…)")
    unknown = set(lent) - set(Lent.__annotations__)
    if unknown:
        known = ", ".join(sorted(Lent.__annotations__))
        raise ConfigurationError(f"cannot lend {', '.join(sorted(unknown))}; there are {known}")
    absent = sorted(name for name, adapter in lent.items() if adapter is None)
    if absent:
        raise ConfigurationError(f"cannot lend None as {', '.join(absent)}; leave it out instead")
    return wire(settings, lent)


def make_facade(container: Container, **lent: Unpack[Lent]) -> Tollkeeper:
    """Build every use case of *container*, to which *lent* was lent, synchronously."""
    names = [attribute.name for attribute in fields(Tollkeeper) if attribute.name != "parts"]
    parts = parts_of(container.settings(), lent)
    made = {name: getattr(container, _MADE_BY.get(name, name))() for name in names}
    return Tollkeeper(**made, parts=parts)


async def _end_calls(tollkeeper: Tollkeeper, calls: MeteredCalls) -> None:
    calls.close()
    await tollkeeper.stream_completion.close_all()
    await calls.drain()


@asynccontextmanager
async def open_tollkeeper(
    settings: Settings | None = None, **lent: Unpack[Lent]
) -> AsyncIterator[Tollkeeper]:
    """Open the facade of *settings* (``Settings.load()`` if None) in the running event loop.

    Holds whose process died are given back on the way in. On the way out open streams end and
    are charged for what came, other calls may finish for ``close_timeout``, then all that was
    opened is closed; *lent* adapters stay open.

    Raises:
        ConfigurationError: the settings are wrong or a package is missing; every fault is named.
        PortError: a store or server cannot be reached.
    """
    container = make_container(settings, **lent)
    # Outside of the try: with nothing opened, there is nothing to shut down.
    opening = container.init_resources()
    if opening is not None:
        await opening
    try:
        tollkeeper = make_facade(container, **lent)
        await tollkeeper.expire_holds()
        try:
            yield tollkeeper
        finally:
            # Cancelling the host must not leave half of the streams unpaid.
            await shielded(lambda: _end_calls(tollkeeper, container.metered_calls()))
    finally:
        closing = container.shutdown_resources()
        if closing is not None:
            await closing
