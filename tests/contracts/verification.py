"""A pytest plugin that runs a port's suites on the adapter behind a URL: `tollkeeper verify`.

What to run comes as JSON in the variable ``TOLLKEEPER_TEST_VERIFY``; how each test ended goes out
as lines of JSON on the standard output that pytest was started with, and nothing else does.
"""

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from tollkeeper.contracts.verification_report import OF_THE_STORE, RUN, Run, Teller
from tollkeeper.domain.rate_limits import RateLimit, RateRequest
from tollkeeper.infra.lazy import Lazy
from tollkeeper.infra.registry import make_adapter
from tollkeeper.ports.broadcast import Broadcast
from tollkeeper.ports.rate_limiter import RateLimiter
from tollkeeper.ports.store import Store

VARIABLE = "TOLLKEEPER_TEST_VERIFY"
LONGEST_WAIT = timedelta(seconds=5)
"""How long a test may really wait for an adapter whose clock is not ours."""
_EXACT_TIMES = {
    "test_a_fresh_bucket_admits_its_limit_at_once_and_no_more",
    "test_a_refusal_consumes_nothing",
    "test_waiting_as_told_is_enough_and_needed",
    "test_waiting_is_told_for_the_bucket_that_takes_longest",
    "test_a_reset_is_when_the_whole_limit_is_back",
    "test_a_reset_is_told_for_the_bucket_that_takes_longest",
    "test_it_agrees_with_an_exact_count",
}
"""What a rate limiter is asked to the microsecond, as if no time passed meanwhile."""


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Take standard output before pytest captures it; whatever else is printed goes to stderr."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    pluginmanager.register(Teller(Run(json.loads(os.environ[VARIABLE]), channel)))


def suites_of(port: str) -> dict[str, type]:
    """Make the test classes for *port*; a store is verified part by part, and whole."""
    found = {}
    for name in (*OF_THE_STORE, "store") if port == "store" else (port,):
        words = "".join(word.capitalize() for word in name.split("_"))
        contract = getattr(import_module(f"tollkeeper.contracts.{name}"), f"{words}Contract")
        bases = (_INSTEAD[name], contract) if name in _INSTEAD else (contract,)
        found[f"Test{words}"] = type(f"Test{words}", bases, {"__module__": __name__})
    return found


@pytest.fixture
def verified(pytestconfig: pytest.Config) -> Run:
    """Say what is verified."""
    return pytestconfig.stash[RUN]


class WatchedClock:
    """A clock that stands still until a test moves it, and knows whether anyone looks at it."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self.watched = False

    def now(self) -> datetime:
        """Return the present time, aware, in UTC."""
        self.watched = True
        return datetime(2001, 1, 1, 12, tzinfo=UTC) + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        self.watched = True
        return self._seconds

    def advance(self, by: timedelta) -> None:
        """Move the time on."""
        self._seconds += by / timedelta(seconds=1)


@pytest.fixture
def clock() -> WatchedClock:
    """Make the clock that adapters are given."""
    return WatchedClock()


@pytest.fixture
def advance(clock: WatchedClock) -> Callable[[timedelta], Awaitable[None]]:
    """Let time pass: on the clock that we gave, or, if the adapter has its own, by waiting."""
    waited = timedelta(0)

    async def advance(by: timedelta) -> None:
        nonlocal waited
        if clock.watched:
            clock.advance(by)
            return
        waited += by
        if waited > LONGEST_WAIT:
            pytest.skip(f"it would wait {waited}, for the adapter goes by a clock of its own")
        await asyncio.sleep(max(0.0, by.total_seconds()))

    return advance


@pytest.fixture
def make(verified: Run, clock: WatchedClock) -> Callable[[], Any]:
    """Make adapters of the URL; nothing is opened."""
    identifiers = Lazy("tollkeeper.adapters.system.identifiers:SystemIdentifiers")()
    context: dict[str, dict[str, object]] = {
        "store": {},
        "cache": {"clock": clock},
        "rate_limiter": {"clock": clock},
        "lock": {"clock": clock},
        "event_log": {"clock": clock},
        "telemetry": {"clock": clock, "identifiers": identifiers},
        "chat_model": {"api_key": verified.api_key, "provider": verified.provider},
        "embedder": {"api_key": verified.api_key, "provider": verified.provider},
        "transcriber": {"api_key": verified.api_key},
    }
    port = verified.adapter_port
    return lambda: make_adapter(port, verified.url, **context.get(port, {}))


@asynccontextmanager
async def _opened(make: Callable[[], Any]) -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:
        made = make()
        if hasattr(made, "__aenter__"):
            made = await stack.enter_async_context(made)
        yield made


class _AnotherChatModel:
    @pytest.fixture
    async def another_chat_model(self, make: Callable[[], Any]) -> AsyncIterator[Any]:
        """Open a second adapter, in the place of the suite's own fixture."""
        async with _opened(make) as made:
            yield made


class _AnotherEmbedder:
    @pytest.fixture
    async def another_embedder(self, make: Callable[[], Any]) -> AsyncIterator[Any]:
        """Open a second adapter, in the place of the suite's own fixture."""
        async with _opened(make) as made:
            yield made


class _Elsewhere:
    @pytest.fixture
    async def elsewhere(
        self, verified: Run, adapter: Broadcast, make: Callable[[], Any]
    ) -> AsyncIterator[Broadcast]:
        """Open a second adapter; memory is shared by nobody but who has the same object."""
        if verified.url == "memory://":
            yield adapter
        else:
            async with _opened(make) as made:
                yield made


_INSTEAD: dict[str, type] = {
    "broadcast": _Elsewhere,
    "chat_model": _AnotherChatModel,
    "embedder": _AnotherEmbedder,
}


@pytest.fixture
async def adapter(make: Callable[[], Any]) -> AsyncIterator[Any]:
    """Open an adapter of the URL, and close it after the test."""
    async with _opened(make) as made:
        yield made


@pytest.fixture
def store(adapter: Store) -> Store:
    """The adapter, where it is a store."""
    return adapter


@pytest.fixture
def model(verified: Run) -> str:
    """Name the model to call."""
    return verified.model


def _part_of_the_store(port: str) -> Any:
    @pytest.fixture(name=port)
    def part(store: Store) -> Any:
        return getattr(store, port)

    return part


def _adapter_itself(port: str) -> Any:
    @pytest.fixture(name=port)
    def itself(adapter: Any) -> Any:
        return adapter

    return itself


@pytest.fixture
async def rate_limiter(
    adapter: RateLimiter, clock: WatchedClock, request: pytest.FixtureRequest
) -> RateLimiter:
    """Give the limiter; one with a clock of its own is not asked for exact times."""
    if request.node.originalname in _EXACT_TIMES:
        await adapter.take([RateRequest(uuid.uuid4().hex, RateLimit(1, timedelta(seconds=1)))])
        if not clock.watched:
            pytest.skip("it asks for exact times, and the adapter goes by a clock of its own")
    return adapter


def _opened_elsewhere(port: str) -> Any:
    """Open an adapter whose tests have no loop in the loop of another thread."""

    @pytest.fixture(name=port)
    def itself(make: Callable[[], Any]) -> Iterator[Any]:
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(_opened(make)) as made,
        ):
            yield made

    return itself


ledger = _part_of_the_store("ledger")
key_store = _part_of_the_store("key_store")
usage_log = _part_of_the_store("usage_log")
plan_store = _part_of_the_store("plan_store")
audit_log = _part_of_the_store("audit_log")
attempt_log = _part_of_the_store("attempt_log")
outbox = _part_of_the_store("outbox")
quota_counter = _part_of_the_store("quota_counter")
data_key_store = _part_of_the_store("data_key_store")
credential_store = _part_of_the_store("credential_store")
cache = _adapter_itself("cache")
telemetry = _adapter_itself("telemetry")
chat_model = _adapter_itself("chat_model")
embedder = _adapter_itself("embedder")
transcriber = _adapter_itself("transcriber")
token_counter = _opened_elsewhere("token_counter")
schema_validator = _opened_elsewhere("schema_validator")
cipher = _opened_elsewhere("cipher")
lock = _adapter_itself("lock")
event_log = _adapter_itself("event_log")
broadcast = _adapter_itself("broadcast")
