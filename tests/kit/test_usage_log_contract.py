"""The usage log's suite finds the faults that usage logs have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.usage_log:UsageLogContract"
FIXTURES = """
import pytest
from tests.kit.broken_usage_logs import *
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.ledger import MemoryLedger
from tollkeeper.adapters.memory.usage_log import MemoryUsageLog

@pytest.fixture
def database():
    return MemoryDatabase()

@pytest.fixture
def usage_log(database):
    return {fault}(database)

@pytest.fixture
def ledger(database):
    return MemoryLedger(database)
"""

CAUGHT_BY = {
    "LastWordWins": ["test_event_is_recorded_once", "test_event_is_never_measured_anew"],
    "OneByOne": ["test_event_is_never_measured_anew", "test_only_a_capture_charges"],
    "TornRecord": ["test_cancelled_record_is_whole"],
    "RacyRecord": ["test_one_of_many_concurrent_measurements_is_kept"],
    "ChargesWithoutCapture": ["test_only_a_capture_charges"],
    "RefusalsSwallowed": [
        "test_event_is_never_measured_anew",
        "test_captured_event_is_not_recorded_anew",
    ],
    "UntilIncluded": ["test_events_come_from_since_until_before_until"],
    "SinceLeftOut": ["test_events_come_from_since_until_before_until"],
    "EventsOfEveryone": ["test_accounts_do_not_see_one_another"],
    "EventPagesByTimeAlone": ["test_events_come_in_pages"],
    "EventPagesOffByOne": ["test_events_come_in_pages"],
    "UnknownEventIsTheFirst": ["test_events_come_in_pages", "test_accounts_do_not_see_one_another"],
    "EstimatesHidden": ["test_totals_add_up_each_kind_by_itself"],
    "TotalsInAnyOrder": ["test_totals_add_up_each_kind_by_itself"],
    "TotalsCutAt64Bits": ["test_totals_are_exact_beyond_64_bits"],
    "AlwaysTheFirstAttempt": ["test_event_comes_back_as_given"],
    "EverythingReported": ["test_event_comes_back_as_given"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_usage_log() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="MemoryUsageLog")) == set()
