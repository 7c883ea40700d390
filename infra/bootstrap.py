"""Opening a facade: the only place that knows the container."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypedDict, Unpack

from attrs import fields
from dependency_injector import providers

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.infra.container import Container
from tollkeeper.infra.facade import Tollkeeper
from tollkeeper.infra.settings import Settings
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.cache import Cache
from tollkeeper.ports.chat_model import ChatModel
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.key_store import KeyStore
from tollkeeper.ports.ledger import Ledger
from tollkeeper.ports.plan_store import PlanStore
from tollkeeper.ports.rate_limiter import RateLimiter
from tollkeeper.ports.store import Store
from tollkeeper.ports.telemetry import Telemetry
from tollkeeper.ports.transcriber import Transcriber
from tollkeeper.ports.usage_log import UsageLog


class Lent(TypedDict, total=False):
    """Adapters that the host opened and will close; they stand in for those of the settings.

    *store* brings five ports at once; *chat_models* and *transcribers* are by provider, and are
    added to those of the settings.
    """

    store: Store
    key_store: KeyStore
    ledger: Ledger
    usage_log: UsageLog
    plan_store: PlanStore
    audit_log: AuditLog
    cache: Cache
    rate_limiter: RateLimiter
    telemetry: Telemetry
    clock: Clock
    identifiers: Identifiers
    chat_models: Mapping[str, ChatModel]
    transcribers: Mapping[str, Transcriber]


_OF_THE_STORE = {"key_store", "ledger", "usage_log", "plan_store", "audit_log"}
_BY_PROVIDER = {"chat_models", "transcribers"}


def make_container(settings: Settings | None = None, **lent: Unpack[Lent]) -> Container:
    """Wire *settings* and what is *lent*; opens nothing.

    Raises:
        ConfigurationError: something unknown is lent, or *settings* are none.
    """
    if settings is not None and not isinstance(settings, Settings):
        raise ConfigurationError("settings are made by Settings(…) or Settings.load(…)")
    unknown = set(lent) - set(Lent.__annotations__)
    if unknown:
        known = ", ".join(sorted(Lent.__annotations__))
        raise ConfigurationError(f"cannot lend {', '.join(sorted(unknown))}; there are {known}")
    overrides: dict[str, Any] = {}
    owners: list[object] = []
    for name, adapter in lent.items():
        if name in _BY_PROVIDER and isinstance(adapter, Mapping):
            owners.extend(adapter.values())
            overrides[f"lent_{name}"] = providers.Object(dict(adapter))
        else:
            owners.append(adapter)
            overrides[name] = providers.Object(adapter)
    if set(lent) >= _OF_THE_STORE:
        # Nothing of the store of the settings is used, so it must not be opened either.
        overrides.setdefault("store", providers.Object(None))
    return Container(
        settings=settings if settings is not None else Settings.load(),
        lent=providers.Object(tuple(owners)),
        **overrides,
    )


def make_facade(container: Container) -> Tollkeeper:
    """Build every use case of *container*, synchronously."""
    names = [attribute.name for attribute in fields(Tollkeeper)]
    return Tollkeeper(**{name: getattr(container, name)() for name in names})


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
        tollkeeper = make_facade(container)
        await tollkeeper.expire_holds()
        try:
            yield tollkeeper
        finally:
            await tollkeeper.stream_completion.close_all()
            await container.metered_calls().drain()
    finally:
        closing = container.shutdown_resources()
        if closing is not None:
            await closing
