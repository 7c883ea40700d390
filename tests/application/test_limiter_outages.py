"""Call limits over a real Redis that dies, hangs, steps down or forgets its scripts."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from attrs import frozen

from tests.adapters.redis_waiting import eventually
from tests.servers.redis_server import RedisServer, redis_server
from tollkeeper.adapters.memory.quota_counter import MemoryQuotaCounter
from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.adapters.redis.rate_limiter import RedisRateLimiter
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.application.call_limits import CallLimits
from tollkeeper.domain.errors import PortError, RateLimited
from tollkeeper.domain.key_limits import KeyLimit, OnOutage, Quota
from tollkeeper.domain.plans import Plan
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.rate_limits import RateLimit

pytestmark = pytest.mark.anyio
FREE = Plan("free")
POOL = 5
QUOTA = Quota(1000)


def caller(name: str, *limits: str, quota: Quota | None = None) -> Principal:
    """Make who calls with the key *name*, which has *limits*."""
    parsed = tuple(map(KeyLimit.parse, limits))
    return Principal("acme", frozenset({"chat:complete"}), name, parsed, quota)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@frozen
class Desk:
    """Call limits over connections to a Redis."""

    limits: CallLimits
    quotas: MemoryQuotaCounter
    connections: RedisConnections

    async def call(self, who: Principal, plan: Plan = FREE, *, times: int = 30) -> list[object]:
        """Call *times* at once, and return how each call ended: with None, or its error."""
        calls = [self.limits.count(who, plan) for _ in range(times)]
        return list(await asyncio.gather(*calls, return_exceptions=True))


@asynccontextmanager
async def desk_over(server: RedisServer, *, timeout: float = 10) -> AsyncIterator[Desk]:
    """Open call limits for two processes, of which this is one."""
    await asyncio.to_thread(server.restart)
    url = f"{server.url}?pool_size={POOL}&timeout={timeout}"
    connections, quotas = RedisConnections.from_url(url, port="rate_limiter"), MemoryQuotaCounter()
    async with RedisRateLimiter(connections) as limiter:
        yield Desk(CallLimits(limiter, quotas, SystemClock(), processes=2), quotas, connections)


def _step_down(server: RedisServer) -> None:
    assert "+OK" in server.ask("REPLICAOF 127.0.0.1 1")


def _step_up(server: RedisServer) -> None:
    assert "+OK" in server.ask("REPLICAOF NO ONE")


@pytest.mark.parametrize(
    ("outage", "mend"),
    [
        (RedisServer.kill, RedisServer.start),
        (RedisServer.stop, RedisServer.go_on),
        (_step_down, _step_up),
    ],
    ids=["killed", "hangs", "read only"],
)
async def test_on_an_outage_each_limit_does_as_declared_in_time_and_again_counts_after(
    server: RedisServer,
    outage: Callable[[RedisServer], None],
    mend: Callable[[RedisServer], None],
) -> None:
    """Take Redis away: each limit's policy holds, deadlines hold, the pool is bounded (T17)."""
    closed = caller("closed", "500/hour", "100/minute:open", quota=QUOTA)
    local, opened = caller("local", "10/hour:local"), caller("open", "3/hour:open")
    both = caller("both", "10/hour:local", "3/minute:open")
    plan = Plan("pro", rate_limit=RateLimit.parse("900/hour"), on_outage=OnOutage.CLOSED)
    async with desk_over(server, timeout=0.4) as desk:
        for who in (closed, local, opened, both):
            assert await desk.call(who, times=1) == [None]
        outage(server)
        try:
            began = time.monotonic()
            ends = await asyncio.gather(
                *(desk.call(who) for who in (closed, local, opened, both)), desk.call(opened, plan)
            )
            assert time.monotonic() - began < 3
            assert all(isinstance(end, PortError) and end.retryable for end in ends[0] + ends[4])
            assert ends[1].count(None) == 5
            assert all(end is None or isinstance(end, RateLimited) for end in ends[1])
            assert ends[2] == [None] * 30
            assert ends[3].count(None) == 5
            assert desk.limits.rates.passed_uncounted == 35
            assert desk.limits.rates.counted_locally == 10
            began = time.monotonic()
            for _ in range(100):
                assert await desk.call(opened, times=1) == [None]
            # Each would wait for 0.4 s if it asked: at most one does.
            assert time.monotonic() - began < 2
            await asyncio.sleep(0.05)
            assert desk.connections.usage[0] <= 1
            assert sum(desk.connections.usage) <= POOL
        finally:
            await asyncio.to_thread(mend, server)
        assert (await desk.quotas.used("closed", QUOTA, at=desk.limits.clock.now())).used == 1
        await eventually(lambda: desk.limits.count(closed, FREE))
        await asyncio.wait_for(_until_refused(desk, opened), 10)
        uncounted = desk.limits.rates.passed_uncounted
        assert [type(end) for end in await desk.call(opened)] == [RateLimited] * 30
        assert desk.limits.rates.passed_uncounted == uncounted
        assert sum(desk.connections.usage) <= POOL


async def _until_refused(desk: Desk, who: Principal) -> None:
    while await desk.call(who, times=1) == [None]:
        await asyncio.sleep(0.05)


async def test_forgotten_scripts_are_no_outage(server: RedisServer) -> None:
    """Flush Redis's scripts before every call: limits stay exact (T17)."""
    who = caller("flushed", "10/hour:open", "20/day:local")
    async with desk_over(server) as desk:
        passed = 0
        for _ in range(15):
            assert "+OK" in await asyncio.to_thread(server.ask, "SCRIPT FLUSH")
            passed += await desk.call(who, times=1) == [None]
        assert passed == 10
        assert desk.limits.rates.passed_uncounted == desk.limits.rates.counted_locally == 0


async def test_two_hundred_callers_of_two_processes_get_exactly_the_burst(
    server: RedisServer,
) -> None:
    """Admit exactly the burst to 200 callers of two processes (T16)."""
    who = caller("shared", "40/hour", "60/minute:open")
    async with desk_over(server) as here:
        connections = RedisConnections.from_url(f"{server.url}?timeout=10", port="rate_limiter")
        async with RedisRateLimiter(connections) as limiter:
            there = Desk(CallLimits(limiter, here.quotas, SystemClock()), here.quotas, connections)
            ends = await asyncio.gather(*(desk.call(who, times=100) for desk in (here, there)))
    assert [*ends[0], *ends[1]].count(None) == 40
    assert {type(end) for part in ends for end in part} == {type(None), RateLimited}
