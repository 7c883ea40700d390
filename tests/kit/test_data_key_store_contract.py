"""The data key store's suite finds the faults that data key stores have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.data_key_store:DataKeyStoreContract"
FIXTURES = """
import pytest
from tests.kit.broken_data_key_stores import *
from tests.kit.broken_databases import *
from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.credential_store import MemoryCredentialStore
from tollkeeper.adapters.memory.data_key_store import MemoryDataKeyStore
from tollkeeper.adapters.memory.database import MemoryDatabase

@pytest.fixture
def database():
    return {database}()

@pytest.fixture
def data_key_store(database):
    return {fault}(database)

@pytest.fixture
def credential_store(database):
    return MemoryCredentialStore(database)

@pytest.fixture
def audit_log(database):
    return MemoryAuditLog(database)
"""

CAUGHT_BY = {
    "WrappedCutShort": ["test_data_key_comes_back_as_given"],
    "AlwaysTheSameAlgorithm": ["test_data_key_comes_back_as_given"],
    "NoneForUnknown": ["test_unknown_data_key_is_not_there"],
    "AccountBlind": ["test_data_key_of_another_account_is_not_there"],
    "SeveralPrimaries": ["test_new_primary_takes_the_place_of_the_former"],
    "AnyKeyIsPrimary": ["test_new_primary_takes_the_place_of_the_former"],
    "VersionStays": ["test_new_primary_takes_the_place_of_the_former"],
    "EveryonesPrimary": [
        "test_new_primary_takes_the_place_of_the_former",
        "test_data_key_of_another_account_is_not_there",
    ],
    "IdsTakenOver": ["test_taken_id_is_refused"],
    "InAnyOrder": ["test_data_keys_of_an_account_come_in_order"],
    "PagesWithDestroyed": ["test_data_keys_of_all_accounts_come_in_pages_by_id"],
    "PagesByTime": ["test_data_keys_of_all_accounts_come_in_pages_by_id"],
    "WrappingStays": ["test_replaced_data_key_is_seen_at_once"],
    "NothingCompared": [
        "test_only_the_next_version_replaces",
        "test_one_of_many_concurrent_replacers_wins",
    ],
    "RacyReplace": ["test_one_of_many_concurrent_replacers_wins"],
    "UnknownAreMade": ["test_data_key_that_is_not_there_is_neither_replaced_nor_destroyed"],
    "AnythingGoes": [
        "test_no_replacement_makes_a_second_primary",
        "test_destroyed_data_key_never_comes_back",
    ],
    "DestroyedInName": ["test_destroyed_data_key_is_gone_but_for_its_name"],
    "DestroyedTwice": ["test_destroyed_data_key_is_gone_but_for_its_name"],
    "DestroyedAndForgotten": [
        "test_destroyed_data_key_is_gone_but_for_its_name",
        "test_destroyed_data_key_never_comes_back",
    ],
    "DestroysWhatIsNeeded": ["test_data_key_that_values_need_is_not_destroyed"],
    "ReplacesWhatIsNeeded": ["test_data_key_that_values_need_is_not_destroyed"],
    "RacyPrimaries": ["test_one_of_many_concurrent_primaries_stays"],
    "TornAdd": ["test_cancelled_change_is_whole"],
}
CAUGHT_IN_THE_LOG = {
    "TurnsIgnored": ["test_change_out_of_turn_is_refused_whole"],
    "TurnsSeenTooLate": ["test_change_out_of_turn_is_refused_whole"],
    "PlacesForgotten": ["test_change_in_turn_is_kept_with_its_place"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault, database="MemoryDatabase")
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


@pytest.mark.parametrize("database", CAUGHT_IN_THE_LOG)
def test_suite_catches_a_faulty_log(database: str) -> None:
    expected = CAUGHT_IN_THE_LOG[database]
    fixtures = FIXTURES.format(fault="MemoryDataKeyStore", database=database)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_data_key_store() -> None:
    fixtures = FIXTURES.format(fault="MemoryDataKeyStore", database="MemoryDatabase")
    assert failed_tests(CONTRACT, fixtures) == set()
