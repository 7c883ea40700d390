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
from tollkeeper.domain.retries import RetryPolicy, Step, shows_trouble

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


@given(
    st.integers(1, 10),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.integers(0, 4000),
)
def test_pauses_have_full_jitter_over_what_is_asked_for(
    tried: int, chance: float, asked: int | None
) -> None:
    policy = RetryPolicy(first_pause=SECOND, longest_pause=SECOND * 8)
    after = None if asked is None else SECOND * asked
    pause = policy.pause(error(Throttled, retry_after=after), tried=tried, chance=chance)
    least = after or timedelta(0)
    bound = min(SECOND * 2 ** (tried - 1), SECOND * 8)
    assert least <= pause <= least + bound
    assert abs(pause - least - bound * chance) <= timedelta(microseconds=1)


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
