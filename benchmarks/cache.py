"""The cache and the rate limiter in Redis, beside redis-py alone with its defaults.

Each contender has a server of its own, from the wheel's binary, with nothing written to the disk.
redis-py alone does the same commands, and the same Lua for a check, but has no deadline for the
whole of an operation, no bound on its connections but 100, and retries whatever fails ten times.
"""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from importlib import import_module
from typing import Any

from benchmarks.contender import Arena, Benchmark, Case, Entry
from tests.servers.redis_server import RedisServer, redis_server
from tollkeeper.domain.rate_limits import RateLimit, RateRequest

_TTL = timedelta(hours=1)
_MANY = [f"key-{number}" for number in range(20)]
_VALUE = b"v" * 100
_WIDE = RateLimit(1_000_000_000, timedelta(days=365))
_TIGHT = RateLimit(3, timedelta(days=1))
_MODES = {"get": "GET", "set": "SET", "get_many": "20 keys", "check": "check a limit"}


class _Redis:
    """Whoever asks a Redis: every answer is checked."""

    async def open(self, arena: Arena) -> None:
        self._stack = AsyncExitStack()
        await self._connect(self._stack.enter_context(redis_server()))
        self._work: dict[str, Callable[[], Awaitable[None]]] = {
            mode: getattr(self, f"_{mode}") for mode in _MODES
        }
        for key in _MANY:
            await self._keep(key)

    async def close(self) -> None:
        await self._stack.aclose()

    async def call(self, mode: str) -> int:
        await self._work[mode]()
        return 1

    async def check(self) -> None:
        """Assert that a limit of three lets three pass."""
        assert [await self._take("tight", _TIGHT) for _ in range(5)] == [True] * 3 + [False] * 2

    # What each contender does in its own way.
    async def _connect(self, server: RedisServer) -> None:
        raise NotImplementedError

    async def _keep(self, key: str) -> None:
        raise NotImplementedError

    async def _take(self, bucket: str, limit: RateLimit) -> bool:
        raise NotImplementedError

    async def _set(self) -> None:
        await self._keep("key-0")

    async def _check(self) -> None:
        assert await self._take("wide", _WIDE)


class Ours(_Redis):
    """The adapters of the ports, with their defaults: 20 connections each."""

    async def _connect(self, server: RedisServer) -> None:
        cache = import_module("tollkeeper.adapters.redis.cache").RedisCache
        limiter = import_module("tollkeeper.adapters.redis.rate_limiter").RedisRateLimiter
        self._cache = await self._stack.enter_async_context(cache.from_url(server.url))
        self._limiter = await self._stack.enter_async_context(limiter.from_url(server.url))

    async def _keep(self, key: str) -> None:
        await self._cache.set(key, _VALUE, ttl=_TTL)

    async def _get(self) -> None:
        assert await self._cache.get("key-0") == _VALUE

    async def _get_many(self) -> None:
        assert len(await self._cache.get_many(_MANY)) == len(_MANY)

    async def _take(self, bucket: str, limit: RateLimit) -> bool:
        decision = await self._limiter.take([RateRequest(bucket, limit)])
        return bool(decision.allowed)


class Bare(_Redis):
    """redis-py's client; with *pool* as bounded as ours, else with its own 100 connections."""

    def __init__(self, pool: int | None) -> None:
        self._pool = pool

    async def _connect(self, server: RedisServer) -> None:
        asynchronous: Any = import_module("redis.asyncio")
        if self._pool is None:
            self._client = asynchronous.Redis(port=server.port)
        else:
            pool = asynchronous.BlockingConnectionPool(self._pool, port=server.port, timeout=2)
            self._client = asynchronous.Redis.from_pool(pool)
        self._stack.push_async_callback(self._client.aclose)
        gcra = import_module("tollkeeper.adapters.redis.scripts").GCRA
        self._script = self._client.register_script(gcra.text)

    async def _keep(self, key: str) -> None:
        await self._client.set(key, _VALUE, px=_TTL)

    async def _get(self) -> None:
        assert await self._client.get("key-0") == _VALUE

    async def _get_many(self) -> None:
        assert None not in await self._client.mget(_MANY)

    async def _take(self, bucket: str, limit: RateLimit) -> bool:
        step = -(-limit.period // timedelta(microseconds=limit.requests))
        allowed, *_ = await self._script([bucket], ["", step, step * limit.requests, 1])
        return bool(allowed)


CACHE = Benchmark(
    name="cache",
    title="Redis: one key, 20 keys, a rate limit",
    operation="call",
    entries=(
        Entry("ours", "tollkeeper, Redis", Ours, side="ours", package="redis"),
        Entry("bare", "redis-py {version}", lambda: Bare(None), side="floor", package="redis"),
        Entry(
            "blocking",
            "redis-py {version}, 20 connections",
            lambda: Bare(20),
            package="redis",
        ),
    ),
    cases=tuple(
        Case(f"{title}, {callers} at once", callers, mode)
        for mode, title in _MODES.items()
        for callers in (1, 16, 64)
    ),
    baseline="bare",
)
