"""Checking each configured part by itself, so that one that is broken does not hide the others."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from tollkeeper.domain.errors import ConfigurationError, PortError, TollkeeperError
from tollkeeper.infra.cli.access_checks import (
    Hint,
    hints_of,
    look_at_keys,
    look_at_pepper,
    where_pepper_is,
)
from tollkeeper.infra.cli.exits import lines_of
from tollkeeper.infra.cli.masking import masked
from tollkeeper.ports.health import HealthCheck

if TYPE_CHECKING:
    from tollkeeper.infra.settings import Settings

PORTS = (
    *("store", "cache", "rate_limiter", "lock", "event_log", "broadcast"),
    *("telemetry", "schema_validator"),
)
OPTIONAL_PORTS = (
    *("tables", "secret_source", "token_counter"),
    *("key_encryption", "token_verifier", "report_verifier"),
)
PATIENCE = 20.0
"""Seconds that a part has to answer; a little more than adapters give their own checks."""
Status = Literal["reachable", "in process", "warning", "failed"]


@frozen
class Checked:
    """What one part is, and whether it works; *latency* in seconds, of its health check."""

    part: str
    adapter: str
    status: Status
    latency: float | None = None
    says: str = ""


@frozen
class Part:
    """Something that is configured, and how to make it."""

    name: str
    url: str
    make: Callable[[], Any]


def parts_of(settings: "Settings") -> Iterator[Part]:
    """Name everything that *settings* choose an adapter for; makes nothing yet."""
    from tollkeeper.infra.bootstrap import make_container
    from tollkeeper.infra.making import context_of
    from tollkeeper.infra.registry import make_adapter

    container = make_container(settings)
    for port in PORTS:
        yield Part(port, getattr(settings, port), getattr(container, port))
    for port in OPTIONAL_PORTS:
        if getattr(settings, port) is not None:
            yield Part(port, getattr(settings, port), getattr(container, port))
    # Each provider by itself: the container makes all those of a port together.
    for port, urls in (
        ("chat_model", settings.chat_models),
        ("embedder", settings.embedders),
        ("transcriber", settings.transcribers),
    ):
        for name, url in urls.items():

            def make(port: str = port, url: str = url, name: str = name) -> Any:
                return make_adapter(port, url, **context_of(port, settings, name))

            yield Part(f"{port} {name}", url, make)
    yield from _of_calls(settings, container)
    yield Part("key pepper", where_pepper_is(settings), lambda: look_at_pepper(settings))
    for name, hint in hints_of(settings):

        def hinted(hint: Hint = hint) -> Hint:
            return hint

        yield Part(name, "", hinted)


def _of_calls(settings: "Settings", container: Any) -> Iterator[Part]:
    """Name what calls go by: prices, the catalogue, pools of keys, fallbacks."""
    from tollkeeper.infra.cli.call_checks import NamedKeys, check_fallbacks, say_catalogue, say_keys

    yield Part("price book", settings.price_book or "built in", container.price_book)
    yield Part(
        "catalogue",
        settings.catalogue or "built in",
        lambda: say_catalogue(container.catalogue()),
    )
    for provider, keys in settings.key_pools.items():

        def keys_of(keys: Any = keys) -> Any:
            named = any(key.name for key in keys)
            return NamedKeys(keys, container.secret_source()) if named else say_keys(keys)

        number = "1 key" if len(keys) == 1 else f"{len(keys)} keys"
        yield Part(f"key pool {provider}", number, keys_of)
    for model, names in settings.fallbacks.items():

        def checked(model: str = model) -> str:
            return check_fallbacks(settings, model, container.catalogue(), container.price_book())

        yield Part(f"fallbacks {model}", " → ".join(names), checked)


async def ask(part: Part) -> tuple[float | None, str | Hint]:
    """Make *part*, open it, ask how it is, and close it again.

    Returns the seconds that its health check took, None if it has none, and what it said.

    Raises:
        TollkeeperError: it does not work.
    """
    try:
        async with asyncio.timeout(PATIENCE), AsyncExitStack() as stack:
            adapter = part.make()
            if isawaitable(adapter):
                adapter = await adapter
            if isinstance(adapter, str | Hint):  # nothing to ask: that is all there is to say
                return None, adapter
            if hasattr(adapter, "__aenter__"):
                adapter = await stack.enter_async_context(adapter)
            if not isinstance(adapter, HealthCheck):
                return None, ""
            began = time.monotonic()
            says = await adapter.health()
            return time.monotonic() - began, says
    except TollkeeperError:
        raise
    except TimeoutError as error:
        raise ConfigurationError(f"no answer within {PATIENCE:g} s{_where(part)}") from error
    except Exception as error:  # an adapter of somebody else may raise anything
        raise ConfigurationError(
            f"the adapter failed with {type(error).__name__}, which no adapter may raise"
        ) from error


async def check(part: Part) -> Checked:
    """Ask *part* how it is, and say so whatever happens."""
    shown = masked(part.url)
    try:
        latency, said = await ask(part)
    except TollkeeperError as error:
        says = "; ".join(lines_of(error)) + _remedy(error, part)
        return Checked(part.name, shown, "failed", says=says)
    if isinstance(said, Hint):
        return Checked(part.name, shown, "warning", says=said.text)
    status: Status = "in process" if latency is None else "reachable"
    return Checked(part.name, shown, status, latency, said)


def _remedy(error: TollkeeperError, part: Part) -> str:
    """Name the setting; errors of a configuration say themselves what to do."""
    return _where(part) if isinstance(error, PortError) else ""


def _where(part: Part) -> str:
    port, _, provider = part.name.partition(" ")
    if port == "keys":
        port = "store"
    if port == "key":
        return "; see the settings secret_source and key_pools"
    if not provider:
        return f"; see the setting {port} (TOLLKEEPER_{port.upper()})"
    variable = f"TOLLKEEPER_{port.upper()}S__{provider.upper()}"
    key = f"TOLLKEEPER_API_KEYS__{provider.upper()}"
    return f"; see the settings {port}s.{provider} ({variable}) and api_keys.{provider} ({key})"


async def check_all(settings: "Settings") -> list[Checked]:
    """Check every part of *settings*, all at once; then the keys, if what they need works."""
    checked = list(await asyncio.gather(*(check(part) for part in parts_of(settings))))
    status = {each.part: each.status for each in checked}
    if status["store"] == "reachable" and status["key pepper"] != "failed":
        keys = Part("keys", settings.store, lambda: look_at_keys(settings))
        checked.append(await check(keys))
    return checked


def settings_fault(error: ConfigurationError) -> list[Checked]:
    """Say the same of settings that cannot even be read."""
    return [Checked("settings", "", "failed", says=line) for line in lines_of(error)]
