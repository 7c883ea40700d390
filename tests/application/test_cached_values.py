"""Cached values are loaded once for many, serve while they are renewed, and survive the cache."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.application.value_loaders import Loader, settled
from tollkeeper.adapters.memory.cache import MemoryCache
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.application.cached_values import CachedValues
from tollkeeper.domain.errors import Conflict, InvalidRequest, Unavailable
from tollkeeper.domain.loaded_values import LoadedValue

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class Away(MemoryCache):
    """A cache that cannot be reached."""

    async def get(self, key: str) -> bytes | None:
        raise Unavailable("away", port="cache", adapter="away")

    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        raise Unavailable("away", port="cache", adapter="away")

    async def add(self, key: str, value: bytes, *, ttl: timedelta) -> bool:
        raise Unavailable("away", port="cache", adapter="away")

    async def delete(self, key: str) -> bool:
        raise Unavailable("away", port="cache", adapter="away")


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def cache(clock: MemoryClock) -> MemoryCache:
    return MemoryCache(clock)


@pytest.fixture
async def values(cache: MemoryCache, clock: MemoryClock) -> AsyncIterator[CachedValues]:
    async with CachedValues(cache, clock, chance=lambda: 0.5) as values:
        yield values


@pytest.fixture
def loader() -> Loader:
    return Loader()


async def test_a_hundred_who_ask_at_once_cause_one_load(
    values: CachedValues, loader: Loader
) -> None:
    found = await asyncio.gather(
        *(values.get_or_load("key", loader, ttl=MINUTE) for _ in range(100))
    )
    assert found == [b"1"] * 100
    assert loader.loads == 1


async def test_two_processes_that_ask_at_once_cause_one_load(
    cache: MemoryCache, clock: MemoryClock, loader: Loader
) -> None:
    async with CachedValues(cache, clock) as one, CachedValues(cache, clock) as two:
        loader.go.clear()
        tasks = [
            asyncio.ensure_future(v.get_or_load("key", loader, ttl=MINUTE)) for v in (one, two)
        ]
        await settled()
        loader.go.set()
        assert await asyncio.gather(*tasks) == [b"1", b"1"]
        assert loader.loads == 1


async def test_an_old_value_serves_while_one_loads(
    values: CachedValues, clock: MemoryClock, loader: Loader
) -> None:
    assert await values.get_or_load("key", loader, ttl=MINUTE) == b"1"
    clock.advance(MINUTE / 2)
    assert await values.get_or_load("key", loader, ttl=MINUTE) == b"1"
    await settled()
    assert loader.loads == 1
    clock.advance(MINUTE)
    loader.go.clear()
    for _ in range(10):
        assert await values.get_or_load("key", loader, ttl=MINUTE) == b"1"
    loader.go.set()
    await settled()
    assert await values.get_or_load("key", loader, ttl=MINUTE) == b"2"
    assert loader.loads == 2


async def test_what_is_much_too_old_is_not_handed_out(
    values: CachedValues, clock: MemoryClock, loader: Loader
) -> None:
    await values.get_or_load("key", loader, ttl=MINUTE)
    clock.advance(6 * MINUTE)
    assert await values.get_or_load("key", loader, ttl=MINUTE) == b"2"


async def test_that_there_is_nothing_is_remembered_for_a_shorter_time(
    values: CachedValues, clock: MemoryClock, loader: Loader
) -> None:
    loader.nothing = True
    for _ in range(5):
        assert await values.get_or_load("key", loader, ttl=MINUTE, negative_ttl=SECOND) is None
    assert loader.loads == 1
    clock.advance(6 * SECOND)
    loader.nothing = False
    assert await values.get_or_load("key", loader, ttl=MINUTE, negative_ttl=SECOND) == b"2"


async def test_who_is_cancelled_leaves_the_others_their_load(
    values: CachedValues, loader: Loader
) -> None:
    loader.go.clear()
    tasks = [asyncio.ensure_future(values.get_or_load("key", loader, ttl=MINUTE)) for _ in range(3)]
    await settled()
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    loader.go.set()
    assert await asyncio.gather(*tasks[1:]) == [b"1", b"1"]
    assert loader.loads == 1


async def test_a_failed_load_fails_those_who_wait_and_the_next_tries_again(
    values: CachedValues, loader: Loader
) -> None:
    loader.error = Unavailable("down", port="x", adapter="y")
    ended = await asyncio.gather(
        *(values.get_or_load("key", loader, ttl=MINUTE) for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(end, Unavailable) for end in ended)
    assert loader.loads == 1
    loader.error = None
    assert await values.get_or_load("key", loader, ttl=MINUTE) == b"2"


async def test_where_renewing_fails_the_old_value_serves_on_and_the_next_try_waits(
    values: CachedValues, clock: MemoryClock, loader: Loader
) -> None:
    await values.get_or_load("key", loader, ttl=10 * MINUTE)
    clock.advance(11 * MINUTE)
    loader.error = Unavailable("down", port="x", adapter="y")
    for _ in range(10):
        assert await values.get_or_load("key", loader, ttl=10 * MINUTE) == b"1"
        await settled()
    assert loader.loads == 2
    loader.error = None
    clock.advance(MINUTE)
    assert await values.get_or_load("key", loader, ttl=10 * MINUTE) == b"1"
    await settled()
    assert await values.get_or_load("key", loader, ttl=10 * MINUTE) == b"3"


async def test_a_load_ahead_that_failed_holds_nobody_up_when_the_old_value_is_gone(
    values: CachedValues, clock: MemoryClock, loader: Loader
) -> None:
    await values.get_or_load("key", loader, ttl=SECOND)
    clock.advance(4 * SECOND)
    loader.error = Unavailable("down", port="x", adapter="y")
    assert await values.get_or_load("key", loader, ttl=SECOND) == b"1"
    await settled()
    loader.error = None
    clock.advance(2 * SECOND)
    # The lock lives for half a minute where a process died, but not where it said that it failed.
    async with asyncio.timeout(1):
        assert await values.get_or_load("key", loader, ttl=SECOND) == b"3"


async def test_without_its_cache_it_loads(clock: MemoryClock, loader: Loader) -> None:
    async with CachedValues(Away(clock), clock) as values:
        asking = [values.get_or_load("key", loader, ttl=MINUTE) for _ in range(10)]
        assert await asyncio.gather(*asking) == [b"1"] * 10


async def test_json_comes_back_as_it_was(values: CachedValues) -> None:
    async def load() -> object:
        return {"name": "é", "numbers": [1, 2.5, None]}

    for _ in range(2):
        found = await values.get_or_load_json("key", load, ttl=MINUTE)
        assert found == {"name": "é", "numbers": [1, 2.5, None]}

    async def unwritable() -> object:
        return object()

    with pytest.raises(InvalidRequest):
        await values.get_or_load_json("other", unwritable, ttl=MINUTE)


async def test_what_is_forgotten_is_loaded_anew(values: CachedValues, loader: Loader) -> None:
    await values.get_or_load("key", loader, ttl=MINUTE)
    await values.forget("key")
    assert await values.get_or_load("key", loader, ttl=MINUTE) == b"2"


async def test_what_another_version_wrote_is_loaded_anew(
    values: CachedValues, cache: MemoryCache, loader: Loader
) -> None:
    await cache.set("loaded:key", b"\xff" * 40, ttl=MINUTE)
    assert await values.get_or_load("key", loader, ttl=MINUTE) == b"1"


async def test_lives_differ_by_a_tenth_and_loading_ahead_is_bounded() -> None:
    at = MemoryClock().now()
    kept = LoadedValue(b"v", at + 100 * SECOND, took=10 * SECOND, lives=100 * SECOND)
    assert LoadedValue.read(kept.written()) == kept
    assert not kept.is_due(at + 89 * SECOND, chance=0.0)
    assert kept.is_due(at + 91 * SECOND, chance=0.0)
    assert not kept.is_due(at + 99 * SECOND, chance=1.0)
    assert kept.is_due(at + 100 * SECOND, chance=1.0)


async def test_closing_ends_what_nobody_waits_for(
    cache: MemoryCache, clock: MemoryClock, loader: Loader
) -> None:
    values = CachedValues(cache, clock)
    async with values:
        loader.go.clear()
        task = asyncio.ensure_future(values.get_or_load("key", loader, ttl=MINUTE))
        await settled()
    with pytest.raises(Conflict):
        await task
    with pytest.raises(Conflict):
        await values.get_or_load("key", loader, ttl=MINUTE)


@pytest.mark.parametrize("key", ["", "two words", "k" * 301])
async def test_malformed_keys_are_refused(values: CachedValues, loader: Loader, key: str) -> None:
    with pytest.raises(InvalidRequest):
        await values.get_or_load(key, loader, ttl=MINUTE)
    with pytest.raises(InvalidRequest):
        await values.get_or_load("key", loader, ttl=timedelta(0))
