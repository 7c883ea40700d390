"""The lock's suite finds the faults that locks have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.lock:LockContract"
FIXTURES = """
import pytest
from tests.kit.broken_locks import *
from tollkeeper.adapters.memory.clock import MemoryClock

@pytest.fixture
def clock():
    return MemoryClock()

@pytest.fixture
def lock(clock):
    return {fault}(clock)

@pytest.fixture
def advance(clock):
    async def move(by):
        clock.advance(by)
    return move
"""

CAUGHT_BY = {
    "LendsToAll": ["test_a_lent_lock_is_not_lent_to_another"],
    "Racy": ["test_one_of_many_askers_gets_it"],
    "ForgetsTheOwner": [
        "test_the_same_owner_gets_the_same_lease_again",
        "test_many_questions_of_one_owner_get_one_lease",
    ],
    "NewNumberForTheSameOwner": [
        "test_the_same_owner_gets_the_same_lease_again",
        "test_many_questions_of_one_owner_get_one_lease",
    ],
    "AskingAgainDoesNotRenew": ["test_the_same_owner_gets_the_same_lease_again"],
    "OneOwnerForAll": [
        "test_a_lent_lock_is_not_lent_to_another",
        "test_each_made_up_owner_is_another",
    ],
    "ReleaseIsAlwaysContent": [
        "test_a_released_lock_is_free_and_the_release_says_so_once",
        "test_a_lock_is_free_after_its_ttl_and_not_before",
    ],
    "DeletesWithoutComparing": ["test_a_lease_that_is_over_can_do_nothing_to_its_successor"],
    "RenewsWithoutComparing": ["test_a_lease_that_is_over_can_do_nothing_to_its_successor"],
    "ComparesTheOwnerAlone": ["test_a_lease_of_the_same_owner_that_is_over_is_another"],
    "NeverReleases": ["test_a_released_lock_is_free_and_the_release_says_so_once"],
    "LastsForEver": ["test_a_lock_is_free_after_its_ttl_and_not_before"],
    "EndsTooSoon": ["test_a_lock_is_free_after_its_ttl_and_not_before"],
    "AskingInVainRenews": ["test_asking_in_vain_does_not_lengthen_a_lease"],
    "RenewsByTheFirstTtl": ["test_renewing_lengthens_a_lease_from_now"],
    "NumbersBeginAnew": ["test_fencing_numbers_rise_however_a_lease_ended"],
    "DoesNotWait": [
        "test_whoever_waits_gets_it_when_it_is_released",
        "test_waiting_in_vain_ends_in_time",
        "test_those_who_wait_get_it_one_after_another",
    ],
    "GoesOnAskingForWhoLeft": ["test_one_who_leaves_while_waiting_gets_nothing"],
    "ShortNames": ["test_locks_do_not_meet"],
    "TakesAnyName": ["test_malformed_names_and_owners_are_refused"],
    "RefusesTooLate": [
        "test_lives_that_are_not_sound_are_refused",
        "test_waits_that_are_not_sound_are_refused",
    ],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_lock() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="MemoryLock")) == set()
