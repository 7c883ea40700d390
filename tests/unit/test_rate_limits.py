"""GCRA against an exact simulation of a leaking bucket."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.rate_limits import RateLimit, RateRequest, decide

MICROSECOND = timedelta(microseconds=1)

LIMITS = st.builds(
    RateLimit,
    requests=st.integers(1, 12) | st.integers(1, 10_000),
    period=st.integers(1000, 5_000_000).map(lambda micros: micros * MICROSECOND),
)


class Bucket:
    """Fills by *step* for each request, leaks one unit a microsecond, never runs over."""

    def __init__(self, limit: RateLimit) -> None:
        window = limit.period // MICROSECOND
        # A request takes a whole number of microseconds, rounded against the caller.
        self.step = window // limit.requests + bool(window % limit.requests)
        self.size = self.step * limit.requests
        self.level = 0
        self.at = 0

    def leak(self, now: int) -> None:
        self.level = max(0, self.level - (now - self.at))
        self.at = now

    def room(self) -> int:
        return (self.size - self.level) // self.step


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[RateLimit], list[tuple[int, list[int]]]]:
    limits = draw(st.lists(LIMITS, min_size=1, max_size=3))
    smallest = min(limit.requests for limit in limits)
    waits = st.integers(0, 50) | st.integers(0, 2_000_000)
    costs = st.lists(st.integers(1, min(smallest, 20)), min_size=len(limits), max_size=len(limits))
    return limits, draw(st.lists(st.tuples(waits, costs), max_size=40))


@given(questions())
@settings(max_examples=300, deadline=None)
def test_decisions_are_those_of_exactly_leaking_buckets(
    asked: tuple[list[RateLimit], list[tuple[int, list[int]]]],
) -> None:
    limits, history = asked
    buckets = [Bucket(limit) for limit in limits]
    arrivals: tuple[int, ...] = (0,) * len(limits)
    now = 1_000_000_000
    for wait, costs in history:
        now += wait
        for bucket in buckets:
            bucket.leak(now)
        fits = all(b.level + b.step * c <= b.size for b, c in zip(buckets, costs, strict=True))
        requests = [
            RateRequest(f"bucket-{n}", limit, cost)
            for n, (limit, cost) in enumerate(zip(limits, costs, strict=True))
        ]
        decision, after = decide(requests, arrivals, now=now)
        assert decision.allowed is fits
        if fits:
            for bucket, cost in zip(buckets, costs, strict=True):
                bucket.level += bucket.step * cost
            assert decision.remaining == min(bucket.room() for bucket in buckets)
            assert decision.retry_after == timedelta(0)
        else:
            assert after == arrivals, "a refusal counted something"
            assert decision.remaining == 0
            moment = now + decision.retry_after // MICROSECOND
            assert decide(requests, arrivals, now=moment)[0].allowed
            assert not decide(requests, arrivals, now=moment - 1)[0].allowed
        arrivals = after


@given(LIMITS, st.lists(st.integers(0, 300_000), max_size=60))
def test_no_stretch_of_time_admits_more_than_the_limit_says(
    limit: RateLimit, waits: list[int]
) -> None:
    now, admitted = 10**9, []
    arrivals: tuple[int, ...] = (0,)
    for wait in waits:
        now += wait
        decision, arrivals = decide([RateRequest("b", limit)], arrivals, now=now)
        if decision.allowed:
            admitted.append(now)
    window = limit.period // MICROSECOND
    for first, start in enumerate(admitted):
        for last in range(first, len(admitted)):
            length = admitted[last] - start
            # The burst, and what the period allows in that time.
            assert (last - first + 1 - limit.requests) * window <= length * limit.requests


@given(LIMITS)
def test_a_fresh_bucket_admits_its_whole_burst_and_not_one_more(limit: RateLimit) -> None:
    whole = RateRequest("b", limit, cost=limit.requests)
    decision, arrivals = decide([whole], (0,), now=10**12)
    assert (decision.allowed, decision.remaining) == (True, 0)
    refused, _ = decide([RateRequest("b", limit)], arrivals, now=10**12)
    assert not refused.allowed
    assert refused.retry_after > timedelta(0)


@pytest.mark.parametrize("text", ["1/second", "7/second", "60/minute", "1000/hour", "10/day"])
def test_steady_requests_at_the_limit_are_never_refused(text: str) -> None:
    limit = RateLimit.parse(text)
    window = limit.period // MICROSECOND
    arrivals: tuple[int, ...] = (0,)
    for number in range(10 * limit.requests):
        now = 10**12 + number * window // limit.requests
        decision, arrivals = decide([RateRequest("b", limit)], arrivals, now=now)
        assert decision.allowed


def test_a_clock_that_steps_back_neither_frees_nor_breaks_anything() -> None:
    limit = RateLimit.parse("1/second")
    _, arrivals = decide([RateRequest("b", limit)], (0,), now=10**9)
    decision, after = decide([RateRequest("b", limit)], arrivals, now=10**9 - 500_000)
    assert not decision.allowed
    assert decision.retry_after == timedelta(seconds=1.5)
    assert after == arrivals


def test_asking_nothing_passes() -> None:
    decision, arrivals = decide([], (), now=5)
    assert (decision.allowed, arrivals) == (True, ())


@pytest.mark.parametrize("cost", [0, -1, 61])
def test_a_cost_that_could_never_pass_is_an_error(cost: int) -> None:
    with pytest.raises(InvalidRequest):
        decide([RateRequest("b", RateLimit.parse("60/minute"), cost)], (0,), now=0)


@pytest.mark.parametrize("text", ["1/second", "60/minute", "999999999/hour", "5/day"])
def test_a_limit_is_written_as_it_is_read(text: str) -> None:
    assert str(RateLimit.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "60", "60/week", "0/minute", "-1/minute", "1.5/minute", "60 / minute", "060/minute",
     "60/minute\n", "6\u0660/minute", "1" * 10 + "/day", None, 60, ("60", "minute")],
    ids=repr,
)  # fmt: skip
def test_anything_else_is_no_limit(text: str) -> None:
    with pytest.raises(InvalidRequest):
        RateLimit.parse(text)


@pytest.mark.parametrize("requests", [0, -1, 1.0, True, "1", None], ids=repr)
def test_a_limit_allows_a_whole_number_of_requests(requests: int) -> None:
    with pytest.raises(InvalidRequest):
        RateLimit(requests, timedelta(minutes=1))


@pytest.mark.parametrize("period", [timedelta(0), timedelta(microseconds=999), 60, None], ids=repr)
def test_a_limit_has_a_period(period: timedelta) -> None:
    with pytest.raises(InvalidRequest):
        RateLimit(1, period)


def test_an_odd_period_is_not_written_as_a_round_one() -> None:
    assert str(RateLimit(5, timedelta(seconds=1.5))) == "5 per 0:00:01.500000"
    assert str(RateLimit(5, timedelta(seconds=90))) == "5 per 0:01:30"
