"""The cache's suite finds the faults that caches have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.cache:CacheContract"
FIXTURES = """
import pytest
from tests.kit.broken_caches import *
from tollkeeper.adapters.memory.clock import MemoryClock

@pytest.fixture
def clock():
    return MemoryClock()

@pytest.fixture
def cache(clock):
    return {fault}(clock)

@pytest.fixture
def advance(clock):
    async def move(by):
        clock.advance(by)
    return move
"""

CAUGHT_BY = {
    "Forgetful": ["test_what_is_kept_comes_back"],
    "ForgetsEmptyValues": [
        "test_what_is_kept_comes_back",
        "test_add_keeps_only_where_nothing_is",
    ],
    "TextOnly": ["test_what_is_kept_comes_back"],
    "LivesForEver": ["test_a_value_lives_as_long_as_its_ttl_and_no_longer"],
    "WholeSecondsRoundedDown": ["test_a_value_lives_as_long_as_its_ttl_and_no_longer"],
    "FirstLifeStays": ["test_set_replaces_value_and_time"],
    "ReadingRenews": ["test_reading_does_not_lengthen_a_life"],
    "AddReplaces": ["test_add_keeps_only_where_nothing_is"],
    "RacyAdd": ["test_one_of_many_adders_succeeds"],
    "RacyDelete": ["test_one_of_many_deleters_is_told_that_something_was_there"],
    "DeleteAlwaysSaysYes": [
        "test_nothing_is_there_at_first",
        "test_delete_forgets_and_says_so_once",
    ],
    "DeleteFindsExpired": ["test_deleting_an_expired_value_finds_nothing"],
    "ShortKeys": ["test_keys_do_not_meet"],
    "DeletesByPrefix": ["test_keys_do_not_meet"],
    "TakesAnyKey": ["test_malformed_keys_are_refused"],
    "TakesAnyTtl": ["test_lives_that_are_not_positive_are_refused"],
    "CutsLongValues": ["test_oversized_values_are_refused"],
    "EncodesText": ["test_values_other_than_bytes_are_refused"],
    "RefusesTooLate": [
        "test_lives_that_are_not_positive_are_refused",
        "test_oversized_values_are_refused",
        "test_values_other_than_bytes_are_refused",
    ],
    "ManyDropsEmptyValues": ["test_many_values_come_back_by_their_keys"],
    "RacyIncrement": ["test_two_hundred_who_count_are_all_counted"],
    "CountsWithFloats": ["test_counting_begins_at_nothing_and_is_exact"],
    "CountingRenews": ["test_counting_does_not_lengthen_a_life"],
    "CountsFromAnything": ["test_what_is_no_number_is_not_counted_on"],
    "ExpireNeverShortens": ["test_a_life_can_be_made_longer_and_shorter"],
    "ExpireRevives": ["test_a_life_can_be_made_longer_and_shorter"],
    "LeavesItsLock": ["test_a_caller_who_leaves_breaks_nothing"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_cache() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="MemoryCache")) == set()
