"""The clock's suite finds the faults that clocks have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.clock:ClockContract"
FIXTURES = """
import pytest
from tests.kit.broken_clocks import *

@pytest.fixture
def clock():
    return {fault}()
"""

CAUGHT_BY = {
    "NaiveNow": ["test_now_is_an_aware_time_in_utc"],
    "LocalNow": ["test_now_is_an_aware_time_in_utc"],
    "NowAsNumber": ["test_now_is_an_aware_time_in_utc"],
    "GoesBack": ["test_monotonic_counts_in_seconds_and_never_goes_back"],
    "CountsMilliseconds": ["test_monotonic_goes_as_fast_as_now"],
    "WholeSeconds": ["test_monotonic_counts_in_seconds_and_never_goes_back"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_clock() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="SystemClock")) == set()
