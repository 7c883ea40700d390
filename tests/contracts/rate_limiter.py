"""The contract of :class:`tollkeeper.ports.rate_limiter.RateLimiter`."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.rate_limits import RateLimit, RateRequest
from tollkeeper.ports.rate_limiter import RateLimiter

Advance = Callable[[timedelta], Awaitable[None]]
MICROSECOND = timedelta(microseconds=1)
# None of it comes back while a test runs, on whatever clock the adapter goes by.
PER_HOUR = RateLimit(60, timedelta(hours=1))
FEW_PER_HOUR = RateLimit(7, timedelta(hours=1))
# Periods that the number of requests does not divide: rounding must not admit one more.
UNEVEN = RateLimit(7, timedelta(seconds=1))
PER_DAY = RateLimit(1, timedelta(days=1))
LIMITS = [PER_HOUR, UNEVEN, PER_DAY, RateLimit(1000, timedelta(seconds=1))]


def new_bucket() -> str:
    """Name a bucket that nobody used before."""
    return f"contract-{uuid.uuid4().hex}"


class ExactBuckets:
    """What GCRA comes to, counted another way: each bucket fills, and drains by the clock."""

    def __init__(self) -> None:
        self._levels: dict[str, int] = {}

    def drain(self, by: timedelta) -> None:
        """Let the time go by."""
        for bucket, level in self._levels.items():
            self._levels[bucket] = max(0, level - by // MICROSECOND)

    def take(self, asked: list[RateRequest]) -> bool:
        """Say whether all of *asked* fits, and fill the buckets if so."""
        filled = {}
        for request in asked:
            step = -((-request.limit.period // MICROSECOND) // request.limit.requests)
            filled[request.bucket] = self._levels.get(request.bucket, 0) + step * request.cost
            if filled[request.bucket] > step * request.limit.requests:
                return False
        self._levels.update(filled)
        return True


_LIMIT_OF = {
    "a": RateLimit(3, timedelta(milliseconds=10)),
    "b": UNEVEN,
    "c": RateLimit(2, timedelta(minutes=1)),
}
_requests = st.lists(
    st.sampled_from(sorted(_LIMIT_OF)).flatmap(
        lambda name: st.builds(
            RateRequest,
            st.just(name),
            st.just(_LIMIT_OF[name]),
            st.integers(1, _LIMIT_OF[name].requests),
        )
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda request: request.bucket,
)
_waits = st.one_of(
    # Around the moments at which one more request fits.
    st.sampled_from([3333, 3334, 142_857, 142_858, 1_000_000, 1_000_006, 2_000_000, 30_000_000]),
    st.integers(0, 2_000_000),
).map(lambda count: count * MICROSECOND)
_steps = st.lists(st.one_of(_requests, _requests, st.just([]), _waits), min_size=5, max_size=50)


class RateLimiterContract(Contract):
    """What every rate limiter promises.

    Fixtures: ``rate_limiter``, and ``advance``, an async callable that moves the limiter's own
    time on by a timedelta; but for it, that time stands still. The suite's buckets are its own.
    """

    @pytest.mark.parametrize("limit", LIMITS, ids=str)
    async def test_a_fresh_bucket_admits_its_limit_at_once_and_no_more(
        self, rate_limiter: RateLimiter, limit: RateLimit
    ) -> None:
        asked = [RateRequest(new_bucket(), limit)]
        decisions = [await rate_limiter.take(asked) for _ in range(limit.requests + 1)]
        assert [d.allowed for d in decisions] == [True] * limit.requests + [False]
        assert [d.remaining for d in decisions[:-1]] == list(reversed(range(limit.requests)))
        assert all(d.retry_after == timedelta(0) for d in decisions[:-1])
        assert decisions[-1].remaining == 0

    async def test_two_hundred_callers_get_exactly_the_burst(
        self, rate_limiter: RateLimiter
    ) -> None:
        asked = [RateRequest(new_bucket(), PER_HOUR)]
        decisions = await asyncio.gather(*(rate_limiter.take(asked) for _ in range(200)))
        assert sum(d.allowed for d in decisions) == PER_HOUR.requests

    async def test_two_hundred_callers_with_several_buckets_get_what_the_tightest_allows(
        self, rate_limiter: RateLimiter
    ) -> None:
        wide, tight = (RateRequest(new_bucket(), each) for each in (PER_HOUR, FEW_PER_HOUR))
        turns = [[wide, tight], [tight, wide]] * 100
        decisions = await asyncio.gather(*(rate_limiter.take(asked) for asked in turns))
        assert sum(d.allowed for d in decisions) == FEW_PER_HOUR.requests
        rest = [await rate_limiter.take([wide]) for _ in range(PER_HOUR.requests)]
        assert sum(d.allowed for d in rest) == PER_HOUR.requests - FEW_PER_HOUR.requests

    async def test_a_refusal_consumes_nothing(
        self, rate_limiter: RateLimiter, advance: Advance
    ) -> None:
        full, other = RateRequest(new_bucket(), UNEVEN), RateRequest(new_bucket(), PER_HOUR)
        for _ in range(UNEVEN.requests):
            await rate_limiter.take([full])
        wait = (await rate_limiter.take([full])).retry_after
        for asked in ([full, other], [other, full], [full]):
            for _ in range(20):
                decision = await rate_limiter.take(asked)
                assert not decision.allowed
                assert decision.retry_after == wait
        assert (await rate_limiter.take([other])).remaining == PER_HOUR.requests - 1
        await advance(wait)
        assert (await rate_limiter.take([full])).allowed

    @pytest.mark.parametrize("limit", LIMITS, ids=str)
    async def test_waiting_as_told_is_enough_and_needed(
        self, rate_limiter: RateLimiter, advance: Advance, limit: RateLimit
    ) -> None:
        asked = [RateRequest(new_bucket(), limit)]
        for _ in range(limit.requests):
            await rate_limiter.take(asked)
        refused = await rate_limiter.take(asked)
        assert timedelta(0) < refused.retry_after <= limit.period + limit.requests * MICROSECOND
        await advance(refused.retry_after - MICROSECOND)
        early = await rate_limiter.take(asked)
        assert (early.allowed, early.retry_after) == (False, MICROSECOND)
        await advance(MICROSECOND)
        assert (await rate_limiter.take(asked)).allowed

    async def test_waiting_is_told_for_the_bucket_that_takes_longest(
        self, rate_limiter: RateLimiter, advance: Advance
    ) -> None:
        slow = RateRequest(new_bucket(), RateLimit(1, timedelta(hours=1)))
        fast = RateRequest(new_bucket(), UNEVEN, cost=7)
        await rate_limiter.take([slow, fast])
        refused = await rate_limiter.take([fast, slow])
        assert refused.retry_after == timedelta(hours=1)
        await advance(refused.retry_after)
        assert (await rate_limiter.take([fast, slow])).allowed

    @pytest.mark.parametrize("limit", LIMITS, ids=str)
    async def test_a_reset_is_when_the_whole_limit_is_back(
        self, rate_limiter: RateLimiter, advance: Advance, limit: RateLimit
    ) -> None:
        bucket = new_bucket()
        whole = [RateRequest(bucket, limit, cost=limit.requests)]
        first = await rate_limiter.take([RateRequest(bucket, limit)])
        refused = await rate_limiter.take(whole) if limit.requests > 1 else first
        assert timedelta(0) < first.reset_after <= limit.period + limit.requests * MICROSECOND
        assert refused.reset_after == first.reset_after
        await advance(first.reset_after - MICROSECOND)
        early = await rate_limiter.take(whole)
        assert (early.allowed, early.reset_after) == (False, MICROSECOND)
        await advance(MICROSECOND)
        assert (await rate_limiter.take(whole)).allowed

    async def test_a_reset_is_told_for_the_bucket_that_takes_longest(
        self, rate_limiter: RateLimiter
    ) -> None:
        slow = RateRequest(new_bucket(), RateLimit(2, timedelta(hours=2)))
        fast = RateRequest(new_bucket(), UNEVEN)
        for asked in ([slow, fast], [fast, slow], [fast, slow], [slow, fast]):
            decision = await rate_limiter.take(asked)
        assert not decision.allowed
        assert decision.reset_after == timedelta(hours=2)
        assert timedelta(0) < (await rate_limiter.take([fast])).reset_after < timedelta(seconds=1)

    @pytest.mark.parametrize("limit", [PER_HOUR, UNEVEN], ids=str)
    async def test_steady_traffic_at_the_limit_is_never_refused(
        self, rate_limiter: RateLimiter, advance: Advance, limit: RateLimit
    ) -> None:
        asked = [RateRequest(new_bucket(), limit)]
        step = -(-limit.period // (limit.requests * MICROSECOND)) * MICROSECOND
        for _ in range(limit.requests):
            assert (await rate_limiter.take(asked)).allowed
        for _ in range(10 * limit.requests):
            await advance(step)
            assert (await rate_limiter.take(asked)).allowed

    async def test_after_a_period_at_rest_the_whole_burst_is_back_and_no_more(
        self, rate_limiter: RateLimiter, advance: Advance
    ) -> None:
        asked = [RateRequest(new_bucket(), PER_HOUR)]
        for rest in (PER_HOUR.period, timedelta(days=30), timedelta(0)):
            for _ in range(PER_HOUR.requests):
                assert (await rate_limiter.take(asked)).allowed
            assert not (await rate_limiter.take(asked)).allowed
            await advance(rest)

    async def test_a_cost_counts_as_so_many_requests(self, rate_limiter: RateLimiter) -> None:
        bucket = new_bucket()
        dear = [RateRequest(bucket, PER_HOUR, cost=25)]
        assert [(await rate_limiter.take(dear)).remaining for _ in range(2)] == [35, 10]
        assert not (await rate_limiter.take(dear)).allowed
        assert (await rate_limiter.take([RateRequest(bucket, PER_HOUR, cost=10)])).allowed

    @pytest.mark.parametrize("cost", [0, -1, 61])
    async def test_costs_that_can_never_pass_are_refused_outright(
        self, rate_limiter: RateLimiter, cost: int
    ) -> None:
        good = RateRequest(new_bucket(), PER_HOUR)
        bad = RateRequest(new_bucket(), PER_HOUR, cost=cost)
        for asked in ([bad], [good, bad], [bad, good]):
            with pytest.raises(InvalidRequest):
                await rate_limiter.take(asked)
        assert (await rate_limiter.take([good])).remaining == PER_HOUR.requests - 1

    async def test_a_bucket_named_twice_is_refused_outright(
        self, rate_limiter: RateLimiter
    ) -> None:
        twice = RateRequest(new_bucket(), PER_HOUR)
        with pytest.raises(InvalidRequest):
            await rate_limiter.take([twice, RateRequest(twice.bucket, UNEVEN)])
        assert (await rate_limiter.take([twice])).remaining == PER_HOUR.requests - 1

    async def test_asking_nothing_passes(self, rate_limiter: RateLimiter) -> None:
        assert (await rate_limiter.take([])).allowed

    async def test_buckets_do_not_meet(self, rate_limiter: RateLimiter) -> None:
        name = new_bucket()
        names = [name, name + ":", name.upper(), name + " x", name + "é", name + "*"]
        for bucket in names:
            assert (await rate_limiter.take([RateRequest(bucket, PER_DAY)])).allowed
        for bucket in names:
            assert not (await rate_limiter.take([RateRequest(bucket, PER_DAY)])).allowed

    @given(steps=_steps)
    @settings(
        max_examples=100,
        deadline=None,
        database=None,
        derandomize=True,
        # An example that fails is not made shorter: that could take long on a server.
        phases=[Phase.generate],
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    async def test_it_agrees_with_an_exact_count(
        self,
        rate_limiter: RateLimiter,
        advance: Advance,
        steps: list[list[RateRequest] | timedelta],
    ) -> None:
        exact, run = ExactBuckets(), new_bucket()
        for step in steps:
            if isinstance(step, timedelta):
                await advance(step)
                exact.drain(step)
                continue
            asked = [RateRequest(f"{run}-{r.bucket}", r.limit, cost=r.cost) for r in step]
            assert (await rate_limiter.take(asked)).allowed is exact.take(asked)
