"""The broadcast's suite finds the faults that broadcasts have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.broadcast:BroadcastContract"
FIXTURES = """
from datetime import timedelta

import pytest
from tests.kit.broken_broadcasts import *

@pytest.fixture
def broadcast():
    return {fault}()

@pytest.fixture
def elsewhere(broadcast):
    return broadcast

class Fixtures:
    @pytest.fixture
    def patience(self):
        return timedelta(seconds=0.5)
"""
ONCE = "test_all_who_subscribed_hear_a_message_once"
TOPICS = "test_topics_do_not_meet"
GAP = "test_more_than_the_backlog_becomes_a_gap_and_then_it_goes_on"

CAUGHT_BY = {
    "TellsOneOnly": [ONCE],
    "TellsTwice": [ONCE],
    "LosesSome": [
        "test_messages_of_one_publisher_come_in_order",
        "test_many_who_publish_at_once_are_all_heard",
    ],
    "TellsLater": ["test_messages_of_one_publisher_come_in_order"],
    "TextOnly": ["test_messages_may_be_any_bytes"],
    "KeepsTheLast": ["test_nobody_hears_what_was_said_before"],
    "WhoLeavesEndsAll": ["test_one_who_left_does_not_end_the_others"],
    "TopicsAreOne": [TOPICS],
    "TopicsArePatterns": [TOPICS],
    "DropsInSilence": [GAP],
    "NoBound": [GAP],
    "OneLessThanTheBacklog": ["test_as_many_as_the_backlog_wait"],
    "GapsCountWhenTheyAreRead": [GAP],
    "CancelledReadsTakeAMessage": ["test_one_cancelled_while_waiting_loses_nothing"],
    "LeavesATaskBehind": ["test_one_cancelled_in_its_block_leaves_nothing_behind"],
    "TakesAnyTopic": ["test_malformed_topics_are_refused"],
    "TellsBeforeItChecks": ["test_malformed_messages_are_refused"],
    "TakesAnyBacklog": ["test_backlogs_that_are_not_sound_are_refused"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_broadcast() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="MemoryBroadcast")) == set()
