"""Making the parts of a facade from its settings; the container says what depends on what."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NoReturn, cast

from tollkeeper.application.breakers import Breakers
from tollkeeper.application.key_pools import KeyPool, KeyPools
from tollkeeper.application.policy import Policy
from tollkeeper.application.providers import Providers
from tollkeeper.domain.circuit_breaker import BreakerPolicy
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.quirks import OnUnsupported
from tollkeeper.domain.retries import RetryPolicy
from tollkeeper.infra.registry import CONTEXT, make_adapter
from tollkeeper.infra.settings import Settings
from tollkeeper.infra.settings_places import origin_of, remedy
from tollkeeper.ports.secret_source import SecretSource
from tollkeeper.ports.tables import Tables


def by_provider(port: str, settings: Settings, lent: Mapping[str, Any]) -> Providers[Any]:
    """The adapters of a port that has one for each provider; lent ones come first."""
    urls = getattr(settings, f"{port}s")
    made = {
        name: make_adapter(port, url, **context_of(port, settings, name))
        for name, url in urls.items()
        if name not in lent
    }
    return Providers({**made, **lent})


def context_of(port: str, settings: Settings, name: str) -> dict[str, Any]:
    """Return what the factory of the provider called *name* gets beside its URL."""
    given = {"api_key": settings.api_keys.get(name), "provider": name}
    return {key: given[key] for key in CONTEXT[port]}


def optional(port: str, url: str | None, **context: object) -> Any:
    """Make the adapter of a port that may be left out."""
    return None if url is None else make_adapter(port, url, **context)


class NoTables:
    """What stands for the host's tables while no database is named for them."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise ConfigurationError(
            "tables: no database is set for the host's own tables; set tables "
            "(TOLLKEEPER_TABLES) to a URL, such as sqlite:///host.db"
        )


def tables_or_remedy(tables: Tables | None) -> Tables:
    """Return *tables*; in the place of none, what says how to have some."""
    return cast(Tables, NoTables()) if tables is None else tables


def policy(settings: Settings) -> Policy:
    return Policy(
        currency=settings.currency,
        key_prefix=settings.key_prefix,
        call_timeout=settings.call_timeout,
        hold_ttl=settings.hold_ttl,
        close_timeout=settings.close_timeout,
        default_max_tokens=settings.default_max_tokens,
        answer_ttl=settings.answer_ttl,
        response_ttl=settings.response_ttl,
        hedge_after=settings.hedge_after,
        on_unsupported=cast(OnUnsupported, settings.on_unsupported),
        overflow_fallback=settings.overflow_fallback,
        filter_fallback=settings.filter_fallback,
    )


def retries(settings: Settings) -> RetryPolicy:
    return RetryPolicy(
        tries=settings.tries,
        first_pause=settings.retry_pause,
        longest_pause=settings.longest_retry_pause,
        retry_ambiguous=settings.retry_ambiguous,
    )


def breakers(settings: Settings) -> Breakers:
    pause = settings.breaker_pause.total_seconds()
    return Breakers(BreakerPolicy(failures=settings.breaker_failures, pause=pause))


def key_pools(
    settings: Settings,
    source: SecretSource | None,
    chat_models: Providers[Any],
    embedders: Providers[Any],
) -> KeyPools:
    """Make the pools of the settings.

    Raises:
        ConfigurationError: the adapters, which the host may have lent, would send the keys of one
            pool to two origins.
    """
    faults = []
    for name in settings.key_pools:
        adapters = [each.adapters.get(name) for each in (chat_models, embedders)]
        places = {origin_of(getattr(adapter, "base_url", "")) for adapter in adapters} - {""}
        if len(places) > 1 and name not in settings.shared_keys:
            where = " and ".join(sorted(places))
            faults.append(f"key_pools.{name} would be sent to {where}: {remedy(name)}")
    if faults:
        raise ConfigurationError(faults)
    return KeyPools({name: KeyPool(keys) for name, keys in settings.key_pools.items()}, source)


@asynccontextmanager
async def connect(
    ports: Iterable[Any], by_provider: Iterable[Providers[Any]], lent: Iterable[object]
) -> AsyncIterator[None]:
    """Enter every adapter that holds a connection, except those that the host lent.

    The last to enter is the first to leave, and one that fails to close does not keep the others
    open.
    """
    owned_elsewhere = {id(adapter) for adapter in lent}
    adapters = [*ports, *(a for each in by_provider for a in each.adapters.values())]
    async with AsyncExitStack() as stack:
        for adapter in adapters:
            if hasattr(adapter, "__aenter__") and id(adapter) not in owned_elsewhere:
                await stack.enter_async_context(adapter)
        yield
