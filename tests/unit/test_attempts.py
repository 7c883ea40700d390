"""Attempts are whole and stay as they were made."""

from collections import UserDict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError

from tollkeeper.contracts.samples import an_attempt
from tollkeeper.domain.attempts import Attempt, Billed, Outcome, Settlement
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.meters import Meter

NOW = datetime(2001, 1, 1, 12, tzinfo=UTC)
ATTEMPT = an_attempt("acme", at=NOW)


def attempt(**changes: Any) -> Attempt:
    return evolve(ATTEMPT, **changes)


def test_an_attempt_says_nothing_of_an_error_unless_there_was_one() -> None:
    assert attempt().error == ""
    assert attempt(error="timeout").error == "timeout"


def test_words_are_those_of_the_records() -> None:
    assert [str(each) for each in Outcome] == ["answered", "failed", "abandoned"]
    assert [str(each) for each in Billed] == ["yes", "no", "unknown"]
    assert [str(each) for each in Settlement] == ["charged", "written_off", "nothing"]


@pytest.mark.parametrize("number", [0, -1, 1.0, True, "1", None], ids=repr)
def test_attempts_are_numbered_from_1(number: object) -> None:
    with pytest.raises(InvalidRequest, match="numbered from 1"):
        attempt(number=number)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="time zone"):
        attempt(started_at=NOW.replace(tzinfo=None))


def test_an_attempt_may_last_no_time_but_not_less() -> None:
    assert attempt(lasted=timedelta(0)).lasted == timedelta(0)
    with pytest.raises(InvalidRequest, match="no less than nothing"):
        attempt(lasted=timedelta(microseconds=-1))


@pytest.mark.parametrize("quantity", [-1, 1.0, True, "1", None, 2**63], ids=repr)
def test_a_quantity_is_whole_and_fits_64_bits(quantity: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        attempt(quantities={Meter.INPUT_TOKENS: quantity})
    assert refused.value.code == "invalid_quantity"


@pytest.mark.parametrize("quantities", [None, 5, [(Meter.REQUESTS, 1)], {"miles": 1}], ids=repr)
def test_quantities_are_counts_by_meter(quantities: object) -> None:
    with pytest.raises(InvalidRequest, match="counts by meter"):
        attempt(quantities=quantities)


def test_meters_may_be_named_by_their_text() -> None:
    assert attempt(quantities=UserDict(input_tokens=3)).quantities == {Meter.INPUT_TOKENS: 3}


def test_what_it_was_made_of_may_change() -> None:
    counts = {Meter.INPUT_TOKENS: 3}
    made = attempt(quantities=counts)
    counts[Meter.INPUT_TOKENS] = 4
    assert made.quantities == {Meter.INPUT_TOKENS: 3}


def test_a_record_is_not_written_over() -> None:
    with pytest.raises(FrozenInstanceError):
        ATTEMPT.error = "timeout"  # type: ignore[misc]
