"""The rate limiter's suite finds the faults that rate limiters have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.rate_limiter:RateLimiterContract"
FIXTURES = """
import pytest
from tests.kit.broken_rate_limiters import *
from tollkeeper.adapters.memory.clock import MemoryClock

@pytest.fixture
def clock():
    return MemoryClock()

@pytest.fixture
def rate_limiter(clock):
    return {fault}(clock)

@pytest.fixture
def advance(clock):
    async def move(by):
        clock.advance(by)
    return move
"""
BURST = "test_a_fresh_bucket_admits_its_limit_at_once_and_no_more"
CALLERS = "test_two_hundred_callers_get_exactly_the_burst"
SEVERAL = "test_two_hundred_callers_with_several_buckets_get_what_the_tightest_allows"
REFUSAL = "test_a_refusal_consumes_nothing"
WAIT = "test_waiting_as_told_is_enough_and_needed"
LONGEST = "test_waiting_is_told_for_the_bucket_that_takes_longest"
RESET = "test_a_reset_is_when_the_whole_limit_is_back"
LATEST = "test_a_reset_is_told_for_the_bucket_that_takes_longest"
STEADY = "test_steady_traffic_at_the_limit_is_never_refused"
REST = "test_after_a_period_at_rest_the_whole_burst_is_back_and_no_more"
COST = "test_a_cost_counts_as_so_many_requests"
IMPOSSIBLE = "test_costs_that_can_never_pass_are_refused_outright"
TWICE = "test_a_bucket_named_twice_is_refused_outright"
EXACT = "test_it_agrees_with_an_exact_count"

CAUGHT_BY = {
    "AdmitsAll": [BURST, CALLERS, EXACT],
    "Racy": [CALLERS, SEVERAL],
    "OneByOne": [SEVERAL, REFUSAL, EXACT],
    "RefusalsCount": [REFUSAL, WAIT],
    "FixedWindow": [EXACT],
    "RoundsTowardsMore": [EXACT],
    "OneTooMany": [BURST, CALLERS, EXACT],
    "WaitTooShort": [REFUSAL, WAIT],
    "WaitTooLong": [WAIT],
    "WaitsForTheFirst": [LONGEST],
    "ResetsTooSoon": [RESET, LATEST],
    "NeverSaysWhenItResets": [RESET, LATEST],
    "ResetIsTheWait": [LATEST],
    "CostBlind": [COST, EXACT],
    "TakesAnyCost": [IMPOSSIBLE, TWICE],
    "CountsBeforeItChecks": [IMPOSSIBLE, TWICE],
    "LastOfTheName": [TWICE],
    "NeedsAQuestion": ["test_asking_nothing_passes", EXACT],
    "OneBucketForAll": ["test_buckets_do_not_meet"],
    "ForgetsAtRest": [EXACT],
    "SavesUp": [REST],
    "RefusesOnTheDot": [STEADY, WAIT],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_rate_limiter() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="MemoryRateLimiter")) == set()
