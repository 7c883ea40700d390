"""The Redis rate limiter keeps its contract, agrees with the domain, and counts for all as one.

The contract runs on one server, a cluster of three, and behind a sentinel.
"""

import asyncio
import uuid
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adapters.redis_suites import NOW, RateLimiterSuite
from tests.adapters.redis_time import own_namespace
from tests.servers.redis_server import (
    redis_server,
    shared_cluster_url,
    shared_sentinel_url,
    shared_server_url,
)
from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.adapters.redis.rate_limiter import RedisRateLimiter
from tollkeeper.domain.errors import InvalidRequest, Unavailable, Unsupported
from tollkeeper.domain.rate_limits import RateLimit, RateRequest, decide

SECOND = timedelta(seconds=1)
PER_MINUTE = RateLimit(60, 60 * SECOND)


def fresh(url: str) -> str:
    return own_namespace(url, "timeout=10")


class TestRedisRateLimiter(RateLimiterSuite):
    @pytest.fixture
    def url(self) -> str:
        return shared_server_url()


class TestRedisRateLimiterOnACluster(RateLimiterSuite):
    @pytest.fixture
    def url(self) -> str:
        return shared_cluster_url()


class TestRedisRateLimiterThroughASentinel(RateLimiterSuite):
    @pytest.fixture
    def url(self) -> str:
        return shared_sentinel_url()


_limits = st.builds(
    RateLimit,
    st.integers(1, 10**9),
    st.integers(1000, 1 << 50).map(lambda us: timedelta(microseconds=us)),
)
_asked = st.tuples(_limits, st.integers(0, 10**6)).map(
    lambda drawn: (drawn[0], 1 + drawn[1] % drawn[0].requests)
)


@pytest.mark.anyio
@given(rounds=st.lists(st.tuples(st.lists(_asked, min_size=1, max_size=3), st.integers(0, 10**8))))
@settings(
    max_examples=100,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_its_decisions_are_the_domains_to_the_microsecond(
    rounds: list[tuple[list[tuple[RateLimit, int]], int]],
) -> None:
    now, run = NOW, uuid.uuid4().hex
    arrivals: dict[str, int] = {}
    connections = RedisConnections.from_url(fresh(shared_server_url()), port="rate_limiter")
    async with RedisRateLimiter(connections, now=lambda: now) as limiter:
        for drawn, passed in rounds:
            now += passed
            asked = [RateRequest(f"{run}-{n}", lim, cost=c) for n, (lim, c) in enumerate(drawn)]
            expected, moved = decide(
                asked, [arrivals.get(request.bucket, 0) for request in asked], now=now
            )
            assert await limiter.take(asked) == expected
            arrivals.update(zip((request.bucket for request in asked), moved, strict=True))


@pytest.mark.anyio
async def test_on_the_servers_clock_waiting_as_told_is_enough() -> None:
    limit = RateLimit(5, SECOND)
    async with RedisRateLimiter.from_url(fresh(shared_server_url())) as limiter:
        asked = [RateRequest("bucket", limit)]
        decisions = [await limiter.take(asked) for _ in range(5)]
        assert all(decision.allowed for decision in decisions)
        refused = await limiter.take([RateRequest("bucket", limit, cost=5)])
        assert not refused.allowed
        assert timedelta(0) < refused.retry_after <= SECOND
        await asyncio.sleep(refused.retry_after.total_seconds())
        assert (await limiter.take([RateRequest("bucket", limit, cost=5)])).allowed


@pytest.mark.anyio
async def test_several_limiters_count_as_one() -> None:
    url = fresh(shared_server_url())
    day = RateLimit(100, timedelta(days=1))
    one, two = RedisRateLimiter.from_url(url), RedisRateLimiter.from_url(url)
    async with one, two:
        asked = [RateRequest("bucket", day)]
        decisions = await asyncio.gather(*(limiter.take(asked) for limiter in [one, two] * 200))
        assert sum(decision.allowed for decision in decisions) == 100


@pytest.mark.anyio
async def test_those_who_leave_take_nobody_with_them() -> None:
    async with RedisRateLimiter.from_url(fresh(shared_server_url())) as limiter:
        asked = [RateRequest("bucket", PER_MINUTE)]
        tasks = [asyncio.ensure_future(limiter.take(asked)) for _ in range(50)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended[::2])
        # Those who left before the question went out were not counted.
        assert [end.remaining for end in ended[1::2]] == list(range(59, 34, -1))  # type: ignore[union-attr]


@pytest.mark.anyio
async def test_one_faulty_bucket_fails_its_own_caller_alone() -> None:
    url = fresh(shared_server_url())
    connections = RedisConnections.from_url(url, port="rate_limiter")
    async with RedisRateLimiter(connections) as limiter:
        broken = connections.key("rate", "broken", tag="untagged")
        await connections.run(
            lambda client: client.execute_command("LPUSH", broken, "x"), idempotent=True
        )
        names = ["good", "broken", "good", "broken"]
        ended = await asyncio.gather(
            *(limiter.take([RateRequest(name, PER_MINUTE)]) for name in names),
            return_exceptions=True,
        )
        assert [isinstance(end, Exception) for end in ended] == [False, True, False, True]
        assert ended[1] is not ended[3]


@pytest.mark.anyio
async def test_a_restarted_server_is_told_the_script_again() -> None:
    with redis_server() as server:
        async with RedisRateLimiter.from_url(f"{server.url}?timeout=10") as limiter:
            asked = [RateRequest("bucket", PER_MINUTE)]
            assert (await limiter.take(asked)).remaining == 59
            server.restart()
            decisions = await asyncio.gather(*(limiter.take(asked) for _ in range(3)))
            assert [decision.remaining for decision in decisions] == [59, 58, 57]


@pytest.mark.anyio
async def test_an_outage_is_no_decision() -> None:
    with redis_server() as server:
        async with RedisRateLimiter.from_url(f"{server.url}?timeout=1") as limiter:
            server.kill()
            asked = [RateRequest("bucket", PER_MINUTE)]
            ended = await asyncio.gather(
                *(limiter.take(asked) for _ in range(50)), return_exceptions=True
            )
            assert all(type(end) is Unavailable for end in ended)
            assert len({id(end) for end in ended}) == 50


@pytest.mark.anyio
async def test_on_a_cluster_one_question_keeps_to_one_tag() -> None:
    async with RedisRateLimiter.from_url(fresh(shared_cluster_url())) as limiter:
        same = [RateRequest("{acme}/chat", PER_MINUTE), RateRequest("{acme}/mail", PER_MINUTE)]
        assert (await limiter.take(same)).remaining == 59
        with pytest.raises(InvalidRequest) as refused:
            await limiter.take([same[0], RateRequest("{other}/chat", PER_MINUTE)])
        assert refused.value.code == "cross_slot"


@pytest.mark.anyio
async def test_periods_that_lua_cannot_count_are_refused() -> None:
    async with RedisRateLimiter.from_url(fresh(shared_server_url())) as limiter:
        with pytest.raises(Unsupported):
            await limiter.take([RateRequest("bucket", RateLimit(1, timedelta(days=36_500)))])
