"""The suite of keepers of key-encryption keys finds the faults that they have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract
from tollkeeper.contracts.key_encryption import KeyEncryptionContract

CONTRACT = "tollkeeper.contracts.key_encryption:KeyEncryptionContract"
FIXTURES = """
import pytest
from tests.kit.broken_key_encryptions import *

@pytest.fixture
def key_encryption():
    return {fault}()

@pytest.fixture
def rotate(key_encryption):
    return key_encryption.rotate

@pytest.fixture
def disable(key_encryption):
    return key_encryption.disable
"""
UNWRAPS = "test_a_data_key_unwraps_to_what_it_was"
CONTEXT = "test_another_context_does_not_unwrap"
DAMAGED = "test_a_damaged_key_does_not_unwrap"
UNKNOWN = "test_an_unknown_key_is_named"
ROTATION = "test_a_rotation_is_seen_at_once_and_loses_nothing"
ANEW = "test_a_key_is_wrapped_anew_under_the_current_key"
DISABLED = "test_a_disabled_key_unwraps_nothing"

CAUGHT_BY = {
    "OneKey": ["test_no_data_key_is_made_twice"],
    "ShortKeys": [UNWRAPS],
    "OnceOnly": [UNWRAPS],
    "NamesTheOldest": ["test_a_wrapped_key_names_the_current_key"],
    "PlainBeside": ["test_a_wrapped_key_holds_nothing_of_the_key"],
    "OrderedContext": ["test_the_order_of_the_context_does_not_matter"],
    "JoinedContext": [CONTEXT],
    "RewrapsForAnyone": [CONTEXT, DAMAGED],
    "ZerosForDamage": [DAMAGED, "test_a_key_that_was_destroyed_does_not_unwrap"],
    "TriesAllKeys": ["test_a_key_of_another_key_than_it_says_does_not_unwrap", UNKNOWN],
    "UnknownIsDamage": [UNKNOWN],
    "NamesNoKey": [UNKNOWN],
    "NeverRotates": [ROTATION],
    "ForgetsTheFormer": [ROTATION],
    "RewrapsNothing": [ANEW],
    "RewrapsAnother": [ANEW],
    "RewrapsAlways": ["test_a_key_under_the_current_key_stays_as_it_is"],
    "DisablesNothing": [DISABLED],
    "TakesAnyContext": ["test_a_malformed_context_is_refused"],
    "TakesAnyType": ["test_what_is_no_wrapped_key_is_refused"],
    "ShowsKeys": ["test_nothing_shows_a_key"],
    "OneAtATime": ["test_many_callers_at_once_get_each_their_own"],
    "LockedForEver": ["test_a_caller_who_gives_up_leaves_it_to_others"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_keeper() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="Sound")) == set()


def test_each_test_of_the_suite_catches_something() -> None:
    caught = {name for names in CAUGHT_BY.values() for name in names}
    tests = {name for name in dir(KeyEncryptionContract) if name.startswith("test_")}
    assert tests - caught == {"test_contract_is_whole"}
