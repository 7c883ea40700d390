"""The memory rate limiter keeps its contract, among threads too, and its memory is bounded."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.rate_limiter import MemoryRateLimiter
from tollkeeper.contracts.rate_limiter import RateLimiterContract
from tollkeeper.domain.errors import ConfigurationError, Unavailable
from tollkeeper.domain.rate_limits import RateLimit, RateRequest

PER_SECOND = RateLimit(10, timedelta(seconds=1))


class TestMemoryRateLimiter(RateLimiterContract):
    @pytest.fixture
    def clock(self) -> MemoryClock:
        return MemoryClock()

    @pytest.fixture
    def rate_limiter(self, clock: MemoryClock) -> MemoryRateLimiter:
        return MemoryRateLimiter.from_url("memory://", clock=clock)

    @pytest.fixture
    def advance(self, clock: MemoryClock) -> Callable[[timedelta], Awaitable[None]]:
        async def move(by: timedelta) -> None:
            clock.advance(by)

        return move


def test_threads_get_exactly_the_burst() -> None:
    limiter = MemoryRateLimiter(MemoryClock())
    asked = [RateRequest("bucket", RateLimit(100, timedelta(hours=1)))]

    async def take_many() -> int:
        return sum([(await limiter.take(asked)).allowed for _ in range(100)])

    with ThreadPoolExecutor(8) as threads:
        admitted = threads.map(lambda _: asyncio.run(take_many()), range(8))
        assert sum(admitted) == 100


@pytest.mark.anyio
async def test_buckets_at_rest_are_forgotten() -> None:
    clock = MemoryClock()
    limiter = MemoryRateLimiter(clock)
    for number in range(50_000):
        assert (await limiter.take([RateRequest(str(number), PER_SECOND)])).allowed
        clock.advance(timedelta(milliseconds=1))
    assert limiter.buckets < 3000


@pytest.mark.anyio
async def test_beyond_its_bound_new_buckets_fail_closed_and_old_ones_still_count() -> None:
    clock = MemoryClock()
    limiter = MemoryRateLimiter(clock, most_buckets=100)
    for number in range(100):
        await limiter.take([RateRequest(str(number), PER_SECOND)])
    for _ in range(3):
        with pytest.raises(Unavailable):
            await limiter.take([RateRequest("new", PER_SECOND)])
    left = [(await limiter.take([RateRequest("0", PER_SECOND)])).allowed for _ in range(10)]
    assert left == [True] * 9 + [False]
    assert limiter.buckets == 100
    clock.advance(timedelta(seconds=1))
    assert (await limiter.take([RateRequest("new", PER_SECOND)])).allowed


@pytest.mark.anyio
async def test_a_clock_put_back_locks_nobody_out() -> None:
    clock = MemoryClock()
    limiter = MemoryRateLimiter(clock)
    asked = [RateRequest("bucket", PER_SECOND, cost=10)]
    clock.advance(timedelta(days=1))
    assert (await limiter.take(asked)).allowed
    clock.advance(timedelta(days=-1))
    assert (await limiter.take(asked)).retry_after == timedelta(seconds=1)


@pytest.mark.parametrize("url", ["memory://here", "memory://?x=1", "redis://"])
def test_urls_that_say_more_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="memory://"):
        MemoryRateLimiter.from_url(url, clock=MemoryClock())
