"""The telemetry's suites find the faults that telemetry has."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.recorded_telemetry:RecordedTelemetryContract"
FIXTURES = """
import pytest
from tests.kit.broken_telemetry import *

@pytest.fixture
def telemetry():
    return {fault}()

@pytest.fixture
def other_telemetry():
    return {fault}()

@pytest.fixture
def recorded(telemetry):
    async def read():
        return telemetry.read()
    return read

@pytest.fixture
def other_recorded(other_telemetry):
    async def read():
        return other_telemetry.read()
    return read
"""
CHILD = "test_a_span_is_the_child_of_the_one_around_it"
TASKS = "test_tasks_keep_their_own_parents"
MARKS = "test_an_exception_marks_the_spans_that_it_leaves"
KEPT = "test_a_span_is_kept_when_it_ends"
TURN = "test_a_span_that_ends_out_of_turn_leaves_the_others_in_order"

CAUGHT_BY = {
    "Swallows": [
        "test_an_exception_goes_on_unchanged",
        "test_cancellation_goes_on_unchanged",
        MARKS,
    ],
    "WrapsErrors": ["test_an_exception_goes_on_unchanged", "test_cancellation_goes_on_unchanged"],
    "ForgetsErrors": [MARKS],
    "TellsTheText": [MARKS],
    "ForgetsParents": [CHILD, TASKS],
    "OneTraceForAll": [CHILD],
    "StrictJson": ["test_odd_values_disturb_nobody"],
    "DropsWhatItCannotWrite": ["test_one_odd_value_does_not_lose_the_span"],
    "TextNamesOnly": ["test_odd_names_disturb_nobody"],
    "MappingsOnly": ["test_odd_attributes_disturb_nobody"],
    "FirstValueStays": [KEPT],
    "KeepsAtTheStart": [KEPT],
    "OneStackForAllTasks": [TASKS],
    "SharedContext": ["test_two_instances_in_one_task_never_meet"],
    "InsistsOnItsContext": ["test_a_span_may_end_in_another_context_than_it_began_in"],
    "EndsOnlyItself": [TURN],
    "FlushFailsWhenNothingWaits": [KEPT],
    "SetFailsWhenOver": ["test_what_is_set_too_early_or_too_late_disturbs_nobody"],
    "UsedOnce": ["test_a_span_used_twice_disturbs_nobody"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_sound_telemetry() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="SoundTelemetry")) == set()
