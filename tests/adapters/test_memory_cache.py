"""The memory cache keeps the cache's contract and stays within its bounds."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tollkeeper.adapters.memory.cache import MemoryCache
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.contracts.cache import CacheContract
from tollkeeper.domain.errors import ConfigurationError

HOUR = timedelta(hours=1)


class TestMemoryCache(CacheContract):
    @pytest.fixture
    def clock(self) -> MemoryClock:
        return MemoryClock()

    @pytest.fixture
    def cache(self, clock: MemoryClock) -> MemoryCache:
        return MemoryCache.from_url("memory://", clock=clock)

    @pytest.fixture
    def advance(self, clock: MemoryClock) -> Callable[[timedelta], Awaitable[None]]:
        async def move(by: timedelta) -> None:
            clock.advance(by)

        return move


@pytest.mark.anyio
async def test_the_least_recently_asked_for_goes_first() -> None:
    cache = MemoryCache(MemoryClock(), most_bytes=4000)
    for name in "abc":
        await cache.set(name, bytes(1000), ttl=HOUR)
    assert await cache.get("a") is not None
    await cache.set("d", bytes(1000), ttl=HOUR)
    kept = [name for name in "abcd" if await cache.get(name) is not None]
    assert kept == ["a", "c", "d"]


@pytest.mark.anyio
@pytest.mark.parametrize("size", [0, 10, 3000, 10_000])
async def test_it_never_outgrows_its_bound(size: int) -> None:
    cache = MemoryCache(MemoryClock(), most_bytes=10_000)
    for number in range(1000):
        await cache.set(f"key{number}", bytes(size), ttl=HOUR)
        await cache.set(f"key{number}", bytes(size), ttl=HOUR)
    there = [n for n in range(1000) if await cache.get(f"key{n}") is not None]
    assert len(there) <= 10_000 // (size + 1)
    assert len(there) <= 50
    assert there == list(range(1000 - len(there), 1000))


@pytest.mark.anyio
async def test_a_clock_put_back_revives_nothing() -> None:
    clock = MemoryClock()
    cache = MemoryCache(clock)
    await cache.set("key", b"value", ttl=HOUR)
    clock.advance(HOUR)
    clock.advance(-2 * HOUR)
    assert await cache.get("key") is None


@pytest.mark.anyio
async def test_two_caches_share_nothing() -> None:
    one, two = MemoryCache(MemoryClock()), MemoryCache(MemoryClock())
    await one.set("key", b"value", ttl=HOUR)
    assert await two.get("key") is None


@pytest.mark.parametrize(
    "url", ["memory://somewhere", "memory:///x", "memory://?size=3", "redis://"]
)
def test_urls_that_say_more_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="memory://"):
        MemoryCache.from_url(url, clock=MemoryClock())
