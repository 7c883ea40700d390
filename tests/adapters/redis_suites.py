"""The contracts of cache and rate limiter, on whatever Redis a ``url`` fixture names."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from tests.adapters.redis_time import own_namespace
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.redis.cache import RedisCache
from tollkeeper.adapters.redis.clients import Client
from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.adapters.redis.rate_limiter import RedisRateLimiter
from tollkeeper.contracts.cache import CacheContract
from tollkeeper.contracts.rate_limiter import RateLimiterContract

MILLISECOND = timedelta(milliseconds=1)
NOW = 1_764_100_000_000_000
"""A time of these years in microseconds: what is exact near 0 need not be so here."""


class CacheSuite(CacheContract):
    """The cache's contract."""

    @pytest.fixture
    def url(self) -> str:
        """Say where Redis is: each class that runs the suite does."""
        raise NotImplementedError

    @pytest.fixture
    async def connections(self, url: str) -> AsyncIterator[RedisConnections]:
        own = own_namespace(url, "timeout=10")
        async with RedisConnections.from_url(own, port="cache") as connections:
            yield connections

    @pytest.fixture
    def cache(self, connections: RedisConnections) -> RedisCache:
        return RedisCache(connections)

    @pytest.fixture
    def advance(self, connections: RedisConnections) -> Callable[[timedelta], Awaitable[None]]:
        """Let time pass by taking it from what each key has left: the server's is its own."""

        async def take_from_all(client: Client, by: timedelta) -> None:
            async for name in client.scan_iter(match=connections.key("*", "*"), count=1000):
                left = await client.pttl(name)
                await client.pexpire(name, left - by // MILLISECOND)

        async def move(by: timedelta) -> None:
            await connections.run(lambda client: take_from_all(client, by), idempotent=True)

        return move


class RateLimiterSuite(RateLimiterContract):
    """The rate limiter's contract. Its time stands still: there the limiter is given a clock."""

    @pytest.fixture
    def url(self) -> str:
        """Say where Redis is: each class that runs the suite does."""
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> MemoryClock:
        return MemoryClock()

    @pytest.fixture
    async def rate_limiter(self, url: str, clock: MemoryClock) -> AsyncIterator[RedisRateLimiter]:
        connections = RedisConnections.from_url(
            own_namespace(url, "timeout=10"), port="rate_limiter"
        )
        limiter = RedisRateLimiter(
            connections, now=lambda: NOW + round(clock.monotonic() * 1_000_000)
        )
        async with limiter:
            yield limiter

    @pytest.fixture
    def advance(self, clock: MemoryClock) -> Callable[[timedelta], Awaitable[None]]:
        async def move(by: timedelta) -> None:
            clock.advance(by)

        return move
