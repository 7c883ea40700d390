"""The quota counter's suite finds the faults that quota counters have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.quota_counter:QuotaCounterContract"
FIXTURES = """
import pytest
from tests.kit.broken_quota_counters import *
from tollkeeper.adapters.memory.quota_counter import MemoryQuotaCounter

@pytest.fixture
def quota_counter():
    return {fault}()
"""

CAUGHT_BY = {
    "RacyTake": [
        "test_concurrent_takers_get_exactly_the_quota",
        "test_concurrent_takers_of_several_calls_never_overdraw",
    ],
    "OneMore": [
        "test_quota_is_given_out_to_the_last_call_and_no_more",
        "test_concurrent_takers_get_exactly_the_quota",
    ],
    "SomeOfIt": ["test_take_beyond_what_is_left_counts_nothing"],
    "RefusedAreCounted": [
        "test_take_beyond_what_is_left_counts_nothing",
        "test_quota_is_given_out_to_the_last_call_and_no_more",
    ],
    "AnyCalls": ["test_calls_are_a_whole_number_of_one_or_more"],
    "NegativeReturn": ["test_calls_are_a_whole_number_of_one_or_more"],
    "Floats": ["test_large_numbers_are_counted_exactly"],
    "NothingGivenBack": ["test_what_is_given_back_can_be_taken_again"],
    "OneGivenBack": ["test_what_is_given_back_can_be_taken_again"],
    "BelowZero": ["test_no_more_than_was_counted_is_given_back"],
    "RacyReturn": ["test_concurrent_takes_and_returns_balance"],
    "ForEver": ["test_period_ends_and_the_next_starts_afresh"],
    "MonthsOfThirtyDays": ["test_period_ends_and_the_next_starts_afresh"],
    "OnePageForEachKey": ["test_period_ends_and_the_next_starts_afresh"],
    "DaysOfTheCaller": ["test_day_is_one_of_utc_wherever_the_caller_is"],
    "OneCountForAll": ["test_keys_do_not_share_a_quota"],
    "SinceNow": ["test_nothing_is_used_at_first"],
    "PeriodsMixed": ["test_days_and_months_of_a_key_are_counted_apart"],
    "CountsByQuota": ["test_other_quota_goes_on_from_what_was_used"],
    "OneAfterTheOther": ["test_cancelled_take_is_whole"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_quota_counter() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="MemoryQuotaCounter")) == set()
