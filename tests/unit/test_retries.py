"""What follows on a failure: by its class and status, never by its text."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.errors import (
    ConfigurationError,
    ContentFiltered,
    ContextWindowExceeded,
    CorruptResponse,
    CredentialsRefused,
    InsufficientCredit,
    InvalidRequest,
    NotFound,
    PoolExhausted,
    PortError,
    Rejected,
    Throttled,
    Timeout,
    TollkeeperError,
    Unavailable,
    Unsupported,
)
from tollkeeper.domain.retries import RetryPolicy, Step, most_telling, shows_trouble

SECOND = timedelta(seconds=1)
POLICY = RetryPolicy(tries=3)
RETRYABLE = (Unavailable, Timeout, Throttled, PoolExhausted)
PORT_ERRORS = (
    *RETRYABLE,
    Rejected,
    ContentFiltered,
    ContextWindowExceeded,
    CredentialsRefused,
    CorruptResponse,
)


def error(kind: type[PortError], **about: Any) -> PortError:
    return kind("it failed", port="chat_model", adapter="test", **about)


@pytest.mark.parametrize("kind", RETRYABLE, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("status", [None, 408, 409, 425, 429, 498, 500, 502, 503, 504, 529])
def test_what_may_pass_the_next_time_is_repeated(kind: type[PortError], status: int | None) -> None:
    assert POLICY.after(error(kind, status=status), tried=1) is Step.RETRY
    assert POLICY.after(error(kind, status=status), tried=2) is Step.RETRY
    assert POLICY.after(error(kind, status=status), tried=3) is Step.NEXT


@given(
    st.sampled_from(PORT_ERRORS),
    st.integers(400, 499).filter(lambda status: status not in (408, 409, 425, 429, 498)),
    st.integers(1, 3),
)
def test_no_other_status_below_500_is_ever_repeated(
    kind: type[PortError], status: int, tried: int
) -> None:
    assert POLICY.after(error(kind, status=status), tried=tried) is not Step.RETRY


@pytest.mark.parametrize(
    ("failure", "step"),
    [
        (error(Rejected), Step.STOP),
        (error(ContentFiltered), Step.UNFILTERED),
        (error(ContextWindowExceeded), Step.LARGER),
        (error(CredentialsRefused), Step.NEXT),
        (error(CorruptResponse), Step.NEXT),
        (error(Unavailable, code="circuit_open"), Step.NEXT),
        (NotFound("gone", code="model_not_found"), Step.NEXT),
        (NotFound("gone"), Step.STOP),
        (InvalidRequest("wrong"), Step.STOP),
        (Unsupported("cannot"), Step.STOP),
        (InsufficientCredit("poor"), Step.STOP),
        (ConfigurationError("wrong"), Step.STOP),
    ],
    ids=lambda value: getattr(value, "code", str(value)),
)
def test_each_failure_has_its_step(failure: TollkeeperError, step: Step) -> None:
    assert POLICY.after(failure, tried=1) is step
    assert POLICY.after(failure, tried=3) is step


def test_what_may_have_been_done_is_repeated_unless_the_policy_forbids_it() -> None:
    careful = RetryPolicy(retry_ambiguous=False)
    assert POLICY.after(error(Timeout, ambiguous=True), tried=1) is Step.RETRY
    assert careful.after(error(Timeout, ambiguous=True), tried=1) is Step.NEXT
    assert careful.after(error(Timeout), tried=1) is Step.RETRY


@given(st.integers(1, 10), st.floats(0, 1, exclude_max=True))
def test_pauses_have_full_jitter(tried: int, chance: float) -> None:
    policy = RetryPolicy(first_pause=SECOND, longest_pause=SECOND * 8)
    bound = min(SECOND * 2 ** (tried - 1), SECOND * 8)
    pause = policy.jitter(tried=tried, chance=chance)
    assert timedelta(0) <= pause <= bound
    assert abs(pause - bound * chance) <= timedelta(microseconds=1)


SPANS = st.floats(0, 4000, allow_nan=False)


@given(
    asked=SPANS, jitter=st.floats(0, 8), left=SPANS, others=st.booleans(), most=st.integers(0, 9)
)
def test_a_long_wait_is_put_off_only_while_others_can_be_asked(
    asked: float, jitter: float, left: float, others: bool, most: int
) -> None:
    policy = RetryPolicy(first_pause=timedelta(0), longest_pause=SECOND * most)
    pause = asked + jitter
    step = policy.before(asked=asked, pause=pause, left=left, others=others)
    assert step in (Step.RETRY, Step.LATER, Step.NEXT)
    assert (step is Step.NEXT) == (pause >= left)  # a wait that does not fit is never begun
    if step is Step.LATER:
        assert others
        assert asked > most
    if step is Step.RETRY and others:
        assert asked <= most
    alone = policy.before(asked=asked, pause=pause, left=left, others=False)
    assert alone is (Step.NEXT if pause >= left else Step.RETRY)


@given(st.sampled_from(PORT_ERRORS), st.integers(1, 12), st.integers(1, 10), st.booleans())
def test_only_a_refused_key_is_replaced_and_within_the_tries(
    kind: type[PortError], tried: int, tries: int, other_key: bool
) -> None:
    step = RetryPolicy(tries=tries).after(error(kind), tried=tried, other_key=other_key)
    replaced = kind is CredentialsRefused and other_key and tried < tries
    assert (step is Step.OTHER_KEY) == replaced
    if tried >= tries:
        assert step is not Step.RETRY


OVERFLOW, FILTERED = error(ContextWindowExceeded), error(ContentFiltered)
DOWN, LIMITED, REJECTED = error(Unavailable), error(Throttled), error(Rejected)


@pytest.mark.parametrize(
    ("failures", "told"),
    [
        ([("a", DOWN)], DOWN),
        ([("a", DOWN), ("b", LIMITED)], LIMITED),
        ([("a", OVERFLOW), ("b", DOWN)], OVERFLOW),
        ([("a", FILTERED), ("b", REJECTED)], FILTERED),
        ([("a", DOWN), ("b", OVERFLOW)], DOWN),
        ([("a", DOWN), ("b", FILTERED), ("c", LIMITED), ("d", OVERFLOW)], LIMITED),
        ([("b", OVERFLOW), ("a", OVERFLOW)], OVERFLOW),
        ([("b", FILTERED)], FILTERED),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_failure_that_tells_most_is_reported(
    failures: list[tuple[str, TollkeeperError]], told: TollkeeperError
) -> None:
    assert most_telling(failures, wanted="a") is told


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(PORT_ERRORS)), min_size=1))
def test_a_fallbacks_window_or_filter_is_reported_only_if_nothing_else_failed(
    script: list[tuple[str, type[PortError]]],
) -> None:
    failures = [(model, error(kind)) for model, kind in script]
    told = most_telling(failures, wanted="a")
    of_the_request = (ContextWindowExceeded, ContentFiltered)
    mine = [each for model, each in failures if model == "a" and isinstance(each, of_the_request)]
    rest = [each for _, each in failures if not isinstance(each, of_the_request)]
    if mine:
        assert told is mine[0]
    else:
        assert told is (rest or [failures[-1][1]])[-1]


@pytest.mark.parametrize("tries", [0, 11, 1.5, True, "3", None], ids=repr)
def test_the_number_of_tries_is_small_and_whole(tries: Any) -> None:
    with pytest.raises(InvalidRequest, match="tries"):
        RetryPolicy(tries=tries)


@pytest.mark.parametrize(
    ("failure", "trouble"),
    [
        (error(Unavailable), True),
        (error(Timeout), True),
        (error(CorruptResponse), True),
        (error(Throttled), False),
        (error(CredentialsRefused), False),
        (error(Rejected), False),
        (error(ContentFiltered), False),
        (error(ContextWindowExceeded), False),
        (error(PoolExhausted), False),
        (error(PoolExhausted, code="concurrency_exhausted"), False),
        (error(Unavailable, code="circuit_open"), False),
        (NotFound("gone", code="model_not_found"), False),
        (InvalidRequest("wrong"), False),
    ],
    ids=lambda value: getattr(value, "code", str(value)),
)
def test_only_the_providers_own_trouble_counts_against_it(
    failure: TollkeeperError, trouble: bool
) -> None:
    assert shows_trouble(failure) is trouble
