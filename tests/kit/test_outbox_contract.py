"""The outbox's suite finds the faults that outboxes have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.outbox:OutboxContract"
FIXTURES = """
import pytest
from tests.kit.broken_outbox_ends import *
from tests.kit.broken_outboxes import *

@pytest.fixture
def outbox():
    return {fault}()
"""
CAUGHT_BY = {
    "LosesTheDueTime": [
        "test_a_message_comes_back_as_given",
        "test_a_message_is_claimed_when_it_is_due_and_not_before",
    ],
    "AnswersInItsOwnOrder": ["test_messages_are_added_together_and_answered_in_their_order"],
    "OneByOne": [
        "test_a_key_with_another_payload_is_a_conflict_and_nothing_is_kept",
        "test_a_taken_id_is_a_conflict_and_nothing_is_kept",
    ],
    "TornAddition": ["test_a_cancelled_addition_is_whole_or_nothing"],
    "LastPayloadWins": ["test_a_key_with_another_payload_is_a_conflict_and_nothing_is_kept"],
    "AddsEachKeyAnew": ["test_the_first_message_of_a_key_stands"],
    "RacyAddition": ["test_of_many_who_add_one_key_at_once_one_adds"],
    "TakesATakenId": ["test_a_taken_id_is_a_conflict_and_nothing_is_kept"],
    "KeysOfAnyAccount": ["test_keys_are_of_an_account_and_a_topic"],
    "LendsBeforeItIsDue": ["test_a_message_is_claimed_when_it_is_due_and_not_before"],
    "LendsAfterItIsDue": ["test_a_message_is_claimed_when_it_is_due_and_not_before"],
    "LendsForADay": ["test_a_claimed_message_is_nobody_elses_until_the_lease_is_over"],
    "RacyClaim": ["test_each_message_is_lent_to_one_of_many_who_claim_at_once"],
    "YoungestFirst": ["test_what_is_due_for_longest_comes_first"],
    "NoLimit": ["test_no_more_are_claimed_than_asked_for"],
    "TopicsOfAnyCase": ["test_topics_do_not_meet"],
    "AnyLease": ["test_leases_that_are_not_sound_are_refused"],
    "OneNumberForAllClaims": [
        "test_a_claimed_message_is_nobody_elses_until_the_lease_is_over",
        "test_who_lost_the_claim_can_fail_nothing",
    ],
    "ClaimsAreNoTries": ["test_a_message_that_kills_who_delivers_it_dies_itself"],
    "NeverDies": [
        "test_a_message_that_kills_who_delivers_it_dies_itself",
        "test_every_message_ends_whatever_fails",
    ],
    "TheDeadTakeAPlace": ["test_a_message_that_kills_who_delivers_it_dies_itself"],
    "DoneOnlyWithTheClaim": ["test_what_was_delivered_late_was_delivered"],
    "TheDeadStayDead": ["test_a_dead_message_that_was_delivered_is_done"],
    "DoneForgetsAtOnce": ["test_a_delivered_message_is_not_claimed_again"],
    "DoneIsMovedByRepeating": ["test_a_delivered_message_is_not_claimed_again"],
    "DoneStopsAtTheUnknown": ["test_many_are_done_at_once"],
    "FailsWithoutTheClaim": ["test_who_lost_the_claim_can_fail_nothing"],
    "FailsWhatIsDone": ["test_what_was_delivered_late_was_delivered"],
    "RetriesAtOnce": ["test_a_failed_message_is_due_again_when_it_is_to_be"],
    "NeverGivesUp": ["test_a_message_that_is_given_up_is_dead"],
    "SilentFailure": ["test_a_failed_message_is_due_again_when_it_is_to_be"],
    "EndlessErrors": ["test_an_error_is_kept_on_one_line"],
    "FailsTheUnknown": ["test_failing_what_is_not_here_is_not_found"],
    "RevivesAnything": ["test_only_a_dead_message_of_the_account_is_revived"],
    "RevivesForAnyone": ["test_only_a_dead_message_of_the_account_is_revived"],
    "RevivesForOneTry": ["test_a_dead_message_is_revived_with_all_its_tries"],
    "RevivesWithTheOldClaim": ["test_a_dead_message_is_revived_with_all_its_tries"],
    "PagesOfEveryone": ["test_messages_come_in_pages_by_state"],
    "PagesOffByOne": ["test_messages_come_in_pages_by_state"],
    "UnknownPageIsTheFirst": ["test_unknown_page_is_not_there"],
    "TakesTheLocalTime": ["test_times_without_a_zone_are_refused"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_outbox() -> None:
    fixtures = "from tollkeeper.adapters.memory.outbox import MemoryOutbox\n" + FIXTURES.format(
        fault="MemoryOutbox"
    ).lstrip("\n")
    assert failed_tests(CONTRACT, fixtures) == set()
