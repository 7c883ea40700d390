"""The suite of sources of secrets finds the faults that they have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract
from tollkeeper.contracts.secret_source import SecretSourceContract

CONTRACT = "tollkeeper.contracts.secret_source:SecretSourceContract"
FIXTURES = """
import pytest
from tests.kit.broken_secret_sources import *
from tollkeeper.adapters.memory.secret_source import MemorySecretSource
from tollkeeper.domain.secret import Secret

@pytest.fixture
def secret_source():
    return {fault}(secrets={{"OTHER": Secret("other")}})

@pytest.fixture
def put(secret_source):
    async def put(name, text):
        secret_source.secrets.pop(name, None)
        if text is not None:
            secret_source.secrets[name] = Secret(text)
    return put
"""
NAMELESS = "test_a_name_that_no_secret_has_is_not_found"

CAUGHT_BY = {
    "KeepsForEver": [
        "test_a_changed_secret_is_seen_at_once",
        "test_a_secret_that_is_taken_away_is_not_found",
    ],
    "NothingForUnknown": ["test_an_unknown_secret_is_not_found", NAMELESS],
    "AnyErrorWillDo": ["test_an_unknown_secret_is_not_found", NAMELESS],
    "NoCode": ["test_an_unknown_secret_is_not_found", NAMELESS],
    "EmptyIsASecret": ["test_an_empty_secret_is_none"],
    "StripsTexts": ["test_a_secret_comes_back_as_it_was_written"],
    "ShortNames": ["test_each_name_has_its_own_secret"],
    "TidiesNames": ["test_a_name_does_not_lead_elsewhere"],
    "EmptyNameIsTheFirst": [NAMELESS],
    "ShowsNames": [NAMELESS],
    "ShowsItself": ["test_nothing_shows_a_secret"],
    "OneAtATime": ["test_many_callers_at_once_get_each_what_they_asked_for"],
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
    tests = {name for name in dir(SecretSourceContract) if name.startswith("test_")}
    assert tests - caught == {"test_contract_is_whole"}
