"""The suite of token counters finds the faults that they have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract
from tollkeeper.contracts.token_counter import TokenCounterContract

CONTRACT = "tollkeeper.contracts.token_counter:TokenCounterContract"
FIXTURES = """
import pytest
from tests.kit.broken_token_counters import *
from tollkeeper.adapters.memory.token_counter import MemoryTokenCounter

@pytest.fixture
def token_counter():
    return {fault}()

@pytest.fixture
def model():
    return "memory/any"
"""
BYTES = "test_a_text_has_at_most_as_many_tokens_as_bytes"
SPECIAL = "test_a_special_token_counts_as_text"
UNKNOWN = "test_an_unknown_model_is_told_from_a_text_of_nothing"

CAUGHT_BY = {
    "CountsTheEnd": ["test_nothing_has_no_tokens"],
    "CountsUtf16": [BYTES],
    "CountsParts": [BYTES],
    "CountsNothing": ["test_words_are_counted", SPECIAL],
    "CountsLinesOnly": ["test_words_are_counted"],
    "CountsOnAndOn": ["test_a_text_has_the_same_count_each_time"],
    "DropsSpecialTokens": [SPECIAL],
    "RefusesSpecialTokens": [SPECIAL, BYTES],
    "KnowsEveryModel": [UNKNOWN],
    "NothingIsUnknown": [UNKNOWN],
    "CountsPairs": ["test_joined_texts_have_hardly_more_tokens_than_the_two"],
    "RefusesLongTexts": ["test_a_long_text_is_counted"],
    "OneTextAtATime": ["test_threads_count_at_once"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_counter() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="MemoryTokenCounter")) == set()


def test_each_test_of_the_suite_catches_something() -> None:
    caught = {name for names in CAUGHT_BY.values() for name in names}
    tests = {name for name in dir(TokenCounterContract) if name.startswith("test_")}
    assert tests - caught == {"test_contract_is_whole"}
