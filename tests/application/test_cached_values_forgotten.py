"""What is forgotten is loaded anew, also where a load of before is under way."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.application.value_loaders import Loader, settled
from tollkeeper.adapters.memory.cache import MemoryCache
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.application.cached_values import CachedValues

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


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


@pytest.mark.parametrize("where", ["here", "in another process"])
async def test_what_is_forgotten_while_it_is_loaded_is_loaded_anew(
    cache: MemoryCache, clock: MemoryClock, loader: Loader, where: str
) -> None:
    near = 10 * SECOND
    async with (
        CachedValues(cache, clock, near=near) as one,
        CachedValues(cache, clock, near=near) as two,
    ):
        loader.go.clear()
        before = asyncio.ensure_future(one.get_or_load("key", loader, ttl=MINUTE))
        await settled()
        await (one if where == "here" else two).forget("key")
        after = asyncio.ensure_future(two.get_or_load("key", loader, ttl=MINUTE))
        await settled()
        loader.go.set()
        assert list(await asyncio.gather(before, after)) == [b"1", b"2"]
        assert await two.get_or_load("key", loader, ttl=MINUTE) == b"2"
        clock.advance(near)
        assert await one.get_or_load("key", loader, ttl=MINUTE) == b"2"
        assert loader.loads == 2


async def test_who_asks_after_it_was_forgotten_does_not_join_a_load_of_before(
    values: CachedValues, loader: Loader
) -> None:
    loader.go.clear()
    asking = [asyncio.ensure_future(values.get_or_load("key", loader, ttl=MINUTE))]
    await settled()
    await values.forget("key")
    asking.append(asyncio.ensure_future(values.get_or_load("key", loader, ttl=MINUTE)))
    await settled()
    loader.go.set()
    assert list(await asyncio.gather(*asking)) == [b"1", b"2"]
    assert await values.get_or_load("key", loader, ttl=MINUTE) == b"2"


async def test_a_load_that_was_taken_for_dead_does_not_replace_a_newer_value(
    cache: MemoryCache, clock: MemoryClock, loader: Loader
) -> None:
    slow, quick = Loader(), loader
    async with CachedValues(cache, clock) as one, CachedValues(cache, clock) as two:
        slow.go.clear()
        late = asyncio.ensure_future(one.get_or_load("key", slow, ttl=2 * MINUTE))
        await settled()
        clock.advance(31 * SECOND)
        quick.loads = 10
        assert await two.get_or_load("key", quick, ttl=2 * MINUTE) == b"11"
        slow.go.set()
        # It is the caller's own answer, but the newer one is kept.
        assert await late == b"1"
        assert await one.get_or_load("key", slow, ttl=2 * MINUTE) == b"11"


async def test_a_load_that_outlived_its_lock_is_kept_where_nobody_took_over(
    values: CachedValues, clock: MemoryClock, loader: Loader
) -> None:
    loader.go.clear()
    asking = asyncio.ensure_future(values.get_or_load("key", loader, ttl=2 * MINUTE))
    await settled()
    clock.advance(31 * SECOND)
    loader.go.set()
    assert await asking == b"1"
    assert await values.get_or_load("key", loader, ttl=2 * MINUTE) == b"1"
