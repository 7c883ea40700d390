"""The event log's suite finds the faults that logs of events have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.event_log:EventLogContract"
FIXTURES = """
from datetime import timedelta

import pytest
from tests.kit.broken_event_logs import *
from tollkeeper.adapters.memory.clock import MemoryClock

@pytest.fixture
def clock():
    return MemoryClock()

@pytest.fixture
def event_log(clock):
    return {fault}(clock)

@pytest.fixture
def advance(clock):
    async def move(by):
        clock.advance(by)
    return move

class Fixtures:
    @pytest.fixture
    def patience(self):
        return timedelta(seconds=0.5)
"""
LENGTH = "test_the_oldest_beyond_the_length_are_forgotten_and_it_is_said"
QUIET = "test_a_quiet_log_is_forgotten_after_its_age_and_its_numbers_later"
OLD = "test_old_events_are_forgotten_while_new_ones_come"
ENDED = "test_an_ended_log_ends_its_readers_after_its_last_event"
AFTER_THE_END = "test_nothing_is_appended_to_an_ended_log"

CAUGHT_BY = {
    "Racy": ["test_those_who_append_at_once_leave_no_hole_and_mix_nothing"],
    "NewestFirst": ["test_what_is_appended_is_numbered_and_read_in_order"],
    "ReadsOnce": ["test_what_is_appended_is_numbered_and_read_in_order"],
    "ResumesAtTheEvent": ["test_reading_resumes_after_any_event"],
    "OneIdForAll": ["test_ids_are_plain_words_and_each_is_another"],
    "TextOnly": ["test_events_may_be_any_bytes"],
    "PassesOverWhatIsLost": [LENGTH, QUIET, OLD],
    "DoesNotNameTheOldest": [LENGTH, QUIET],
    "NeverTrims": [LENGTH, QUIET, OLD],
    "TrimsByLengthAlone": [QUIET, OLD],
    "KeepsOneLess": [LENGTH, "test_more_at_once_than_the_length_leaves_the_newest"],
    "ForgetsTheNumbersToo": [QUIET, "test_who_reads_at_the_end_keeps_the_numbers"],
    "ReadersKeepNothing": ["test_who_reads_at_the_end_keeps_the_numbers"],
    "OneLifeForAll": ["test_logs_do_not_meet"],
    "DoesNotWait": [
        "test_waiting_in_vain_ends_in_time",
        "test_whoever_waits_gets_what_comes",
    ],
    "WaitsForAFullPage": ["test_what_is_there_is_not_waited_for"],
    "WakesOneOnly": ["test_whoever_waits_gets_what_comes"],
    "WhoLeavesSpoilsIt": ["test_one_who_leaves_while_waiting_takes_nothing_along"],
    "EndWakesNobody": [ENDED],
    "EndsBeforeTheLastEvent": [ENDED],
    "EndsOneReadingLate": [ENDED],
    "AppendsAfterTheEnd": [AFTER_THE_END, "test_a_log_may_end_before_it_began"],
    "EndsOnce": [AFTER_THE_END],
    "EndsOnlyWhatIsThere": ["test_a_log_may_end_before_it_began"],
    "ShortNames": ["test_logs_do_not_meet"],
    "AppendsBeforeItChecks": ["test_malformed_events_are_refused_and_nothing_is_appended"],
    "TakesAnyId": ["test_what_is_no_id_is_refused"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_log() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="MemoryEventLog")) == set()
