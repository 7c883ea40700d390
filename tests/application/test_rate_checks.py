"""While the rate limiter is away each limit's own policy holds, and nobody waits for it in vain."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.application.limit_fakes import WatchedLimiter, away
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.rate_limiter import MemoryRateLimiter
from tollkeeper.application.local_buckets import LocalBuckets
from tollkeeper.application.rate_checks import LimitAsked, RateChecks, RateRefusal
from tollkeeper.application.recent_refusals import RecentRefusals
from tollkeeper.domain.errors import InvalidRequest, PortError, Timeout, Unavailable
from tollkeeper.domain.key_limits import OnOutage
from tollkeeper.domain.rate_limits import RateLimit, RateRequest

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)
CLOSED, LOCAL, OPEN = OnOutage.CLOSED, OnOutage.LOCAL, OnOutage.OPEN
TIMEOUT = Timeout("no answer", port="rate_limiter", adapter="test", ambiguous=True)


def limit(requests: int, policy: OnOutage, *, bucket: str = "") -> LimitAsked:
    return LimitAsked(RateRequest(bucket or policy, RateLimit(requests, HOUR)), "the key", policy)


def made(processes: int = 1) -> tuple[RateChecks, WatchedLimiter, MemoryClock]:
    clock = MemoryClock()
    limiter = WatchedLimiter(MemoryRateLimiter(clock))
    return RateChecks(limiter, clock, processes), limiter, clock


async def passed(checks: RateChecks, asked: Sequence[LimitAsked], *, calls: int = 50) -> int:
    return [await checks.check(asked) for _ in range(calls)].count(None)


@pytest.mark.parametrize("failure", [away("rate_limiter"), TIMEOUT], ids=["away", "timeout"])
@pytest.mark.parametrize("others", [[], [LOCAL], [OPEN], [LOCAL, OPEN]], ids=str)
async def test_one_closed_limit_closes_the_call(failure: PortError, others: list[OnOutage]) -> None:
    checks, limiter, _ = made()
    asked = [limit(9, each) for each in [*others, CLOSED]]
    limiter.failure = failure
    for _ in range(20):
        with pytest.raises(PortError) as refused:
            await checks.check(asked)
        assert refused.value is failure or refused.value.code == "circuit_open"
        assert refused.value.retryable
    assert limiter.questions == 5
    assert (checks.counted_locally, checks.passed_uncounted) == (0, 0)


@pytest.mark.parametrize(
    ("processes", "share"), [(1, 10), (3, 4), (4, 3), (10, 1), (11, 1), (1000, 1)]
)
async def test_a_local_limit_is_counted_here_up_to_this_process_s_share(
    processes: int, share: int
) -> None:
    checks, limiter, clock = made(processes)
    limiter.failure = away("rate_limiter")
    assert await passed(checks, [limit(10, LOCAL)]) == share
    refused = await checks.check([limit(10, LOCAL)])
    assert refused == RateRefusal(HOUR / share, (limit(10, LOCAL),))
    assert (checks.counted_locally, checks.passed_uncounted) == (share, 0)
    clock.advance(HOUR / share)
    assert await checks.check([limit(10, LOCAL)]) is None


async def test_an_open_limit_passes_and_is_told() -> None:
    checks, limiter, _ = made()
    limiter.failure = away("rate_limiter")
    assert await passed(checks, [limit(1, OPEN)]) == 50
    assert (checks.counted_locally, checks.passed_uncounted) == (0, 50)


async def test_an_open_limit_frees_no_local_one() -> None:
    checks, limiter, _ = made(processes=2)
    limiter.failure = away("rate_limiter")
    assert await passed(checks, [limit(1, OPEN), limit(10, LOCAL)]) == 5
    assert (checks.counted_locally, checks.passed_uncounted) == (5, 5)


async def test_after_one_failure_the_limiter_is_left_alone_for_a_second_and_then_probed() -> None:
    checks, limiter, clock = made()
    asked = [limit(1, OPEN)]
    limiter.failure = TIMEOUT
    for second in range(1, 4):
        assert await passed(checks, asked, calls=20) == 20
        assert limiter.questions == second
        clock.advance(timedelta(seconds=1))
    limiter.failure = None
    assert await checks.check(asked) is None
    assert await checks.check(asked) is not None
    assert checks.passed_uncounted == 60


async def test_while_one_probes_nobody_else_waits_and_one_who_leaves_makes_room() -> None:
    checks, limiter, clock = made()
    asked = [limit(1, OPEN)]
    limiter.failure = TIMEOUT
    await checks.check(asked)
    limiter.failure, limiter.gate = None, asyncio.Event()
    clock.advance(timedelta(seconds=1))
    probe = asyncio.ensure_future(checks.check(asked))
    await asyncio.sleep(0)
    assert await asyncio.wait_for(checks.check(asked), 1) is None
    assert checks.passed_uncounted == 2
    probe.cancel()
    await asyncio.wait([probe])
    limiter.gate = None
    assert await checks.check(asked) is None
    assert await checks.check(asked) is not None


async def test_what_is_no_outage_is_no_reason_to_let_anyone_pass() -> None:
    checks, limiter, _ = made()
    for failure in (InvalidRequest("a bug"), RuntimeError("a bug"), asyncio.CancelledError()):
        limiter.failure = failure  # type: ignore[assignment]  # a task's end is no Exception
        with pytest.raises(type(failure)):
            await checks.check([limit(9, OPEN), limit(9, LOCAL)])
    limiter.failure = None
    assert await passed(checks, [limit(9, OPEN)]) == 9


async def test_one_lost_question_costs_other_callers_of_closed_limits_nothing() -> None:
    checks, limiter, _ = made()
    for _ in range(20):
        limiter.failure = TIMEOUT
        with pytest.raises(Timeout):
            await checks.check([limit(100, CLOSED)])
        limiter.failure = None
        assert await checks.check([limit(100, CLOSED)]) is None


async def test_a_thousand_keys_on_an_outage_take_bounded_memory() -> None:
    clock = MemoryClock()
    buckets = LocalBuckets(clock, most=100)
    for number in range(1000):
        busy = limit(1, LOCAL, bucket="busy").request
        assert buckets.take([busy]).allowed is (number == 0)
        assert buckets.take([limit(1, LOCAL, bucket=str(number)).request]).allowed
        assert len(buckets) <= 100


def test_refusals_are_remembered_in_bounded_number_and_time() -> None:
    refusals = RecentRefusals(most=10)
    refusal = RateRefusal(timedelta(seconds=5), ())
    asked = [(limit(1, CLOSED, bucket=str(number)),) for number in range(100)]
    for each in asked:
        refusals.keep(each, refusal, now=0)
    assert len(refusals) == 10
    assert refusals.get(asked[0], now=0) is None
    assert refusals.get(asked[-1], now=999_999) == RateRefusal(
        timedelta(microseconds=4_000_001), ()
    )
    assert refusals.get(asked[-1], now=1_000_000) is None
    assert len(refusals) == 9


async def test_a_limiter_that_is_full_closes_what_is_closed() -> None:
    clock = MemoryClock()
    checks = RateChecks(MemoryRateLimiter(clock, most_buckets=2), clock)
    assert await checks.check([limit(1, CLOSED, bucket="a"), limit(1, CLOSED, bucket="b")]) is None
    with pytest.raises(Unavailable):
        await checks.check([limit(1, CLOSED, bucket="c")])
