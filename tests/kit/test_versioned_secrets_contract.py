"""The suite of sources of versioned secrets finds the faults that they have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract
from tollkeeper.contracts.versioned_secrets import VersionedSecretsContract

CONTRACT = "tollkeeper.contracts.versioned_secrets:VersionedSecretsContract"
FIXTURES = """
import pytest
from tests.kit.broken_versioned_secrets import *
from tollkeeper.adapters.memory.secret_source import MemorySecretSource
from tollkeeper.domain.secret import Secret

@pytest.fixture
def versioned_secrets():
    return {fault}(secrets={{"OTHER": Secret("other")}})

@pytest.fixture
def rotate(versioned_secrets):
    source = versioned_secrets
    async def rotate(name, text):
        before = source.secrets.pop(name, None)
        source.previous.pop(name, None)
        if text is not None:
            source.secrets[name] = Secret(text)
            if before is not None:
                source.previous[name] = before
    return rotate
"""
UNCHANGED = "test_a_secret_that_never_changed_has_no_previous_version"
CHANGED = "test_what_was_current_becomes_the_previous_version"
LAST_BUT_ONE = "test_only_the_last_but_one_is_the_previous_version"
AT_ONCE = "test_each_change_is_seen_at_once"
UNKNOWN = "test_an_unknown_secret_is_not_found"
TAKEN_AWAY = "test_a_secret_that_is_taken_away_takes_its_versions_along"

CAUGHT_BY = {
    "PreviousIsCurrent": [UNCHANGED],
    "NoPrevious": [CHANGED, LAST_BUT_ONE, AT_ONCE],
    "Swapped": [CHANGED, LAST_BUT_ONE],
    "FirstIsPrevious": [AT_ONCE],
    "FirstOfAll": [LAST_BUT_ONE],
    "KeepsForEver": [AT_ONCE, TAKEN_AWAY],
    "TwoTruths": ["test_the_current_version_is_what_the_source_hands_out"],
    "SameAgain": ["test_the_same_text_again_is_no_previous_version"],
    "OnePreviousForAll": ["test_each_name_has_its_own_versions"],
    "AnyErrorWillDo": [UNKNOWN],
    "NoCode": [UNKNOWN],
    "PreviousStays": [TAKEN_AWAY],
    "TwoLooks": ["test_the_two_versions_belong_together"],
    "ShowsItself": ["test_nothing_shows_a_version"],
    "LockedForEver": ["test_a_caller_who_gives_up_leaves_the_source_to_others"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_source() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="MemorySecretSource")) == set()


def test_each_test_of_the_suite_catches_something() -> None:
    caught = {name for names in CAUGHT_BY.values() for name in names}
    tests = {name for name in dir(VersionedSecretsContract) if name.startswith("test_")}
    assert tests - caught == {"test_contract_is_whole"}
