"""The key store's suite finds the faults that key stores have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.key_store:KeyStoreContract"
FIXTURES = """
import pytest
from tests.kit.broken_databases import *
from tests.kit.broken_key_changes import *
from tests.kit.broken_key_stores import *
from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.key_store import MemoryKeyStore

@pytest.fixture
def database():
    return {database}()

@pytest.fixture
def key_store(database):
    return {fault}(database)

@pytest.fixture
def audit_log(database):
    return MemoryAuditLog(database)
"""

CAUGHT_BY = {
    "RacyReplace": ["test_one_of_many_concurrent_replacers_wins"],
    "NothingCompared": [
        "test_only_the_next_version_replaces",
        "test_one_of_many_concurrent_replacers_wins",
    ],
    "RacyAdd": ["test_one_of_many_concurrent_keys_gets_the_kid"],
    "AuditForgotten": [
        "test_replaced_key_is_seen_at_once",
        "test_one_of_many_concurrent_replacers_wins",
    ],
    "AuditOfRefused": [
        "test_taken_id_or_kid_is_refused",
        "test_only_the_next_version_replaces",
        "test_key_that_is_not_the_accounts_is_not_replaced",
    ],
    "SharedKids": ["test_taken_id_or_kid_is_refused", "test_kid_of_another_key_is_not_taken_over"],
    "HalfAdded": ["test_taken_id_or_kid_is_refused"],
    "GoneSecretsFound": ["test_secret_that_is_gone_is_not_found"],
    "CachedFinds": ["test_replaced_key_is_seen_at_once"],
    "AccountBlind": [
        "test_key_of_another_account_is_not_there",
        "test_key_that_is_not_the_accounts_is_not_replaced",
    ],
    "ListsEverybody": ["test_key_of_another_account_is_not_there"],
    "PagesOffByOne": ["test_keys_come_in_pages"],
    "PagesByTimeAlone": ["test_keys_come_in_pages"],
    "LastUseGoesBack": ["test_last_use_never_goes_back"],
    "RacyUse": ["test_concurrent_uses_keep_the_latest"],
    "ReplaceMovesLastUse": ["test_only_use_moves_the_last_use"],
    "SwallowedErrors": [
        "test_taken_id_or_kid_is_refused",
        "test_only_the_next_version_replaces",
        "test_key_that_is_not_the_accounts_is_not_replaced",
    ],
    "TornChange": ["test_cancelled_change_is_whole"],
    "WholeSeconds": ["test_key_comes_back_as_given"],
    "ReplacesSecretsOnly": ["test_every_field_that_may_change_is_replaced"],
    "AnyKeyForUnknown": ["test_unknown_key_is_not_there"],
    "NetworksForgotten": ["test_each_field_comes_back_as_given"],
    "OutagesForgotten": ["test_each_field_comes_back_as_given"],
    "TextsTidied": ["test_seal_holds_for_what_comes_back"],
    "MetadataMerged": ["test_each_field_is_replaced_also_by_nothing"],
    "QuotaStays": ["test_each_field_is_replaced_also_by_nothing"],
    "AllKeysAsTheyCame": ["test_keys_of_all_accounts_come_in_pages_by_id"],
    "AllKeysFromThere": ["test_keys_of_all_accounts_come_in_pages_by_id"],
    "RemovedForAWhile": ["test_removed_key_is_gone_with_its_secrets"],
    "RemovalNotAudited": ["test_removed_key_is_gone_with_its_secrets"],
    "AnyVersionRemoved": ["test_only_the_version_that_is_there_is_removed"],
    "AnybodyRemoves": ["test_key_that_is_not_the_accounts_is_not_removed"],
    "RacyRemoval": ["test_one_of_a_removal_and_a_change_wins"],
    "TornRemoval": ["test_cancelled_removal_is_whole"],
    "RacyTurns": ["test_one_of_many_concurrent_changes_gets_the_turn"],
}
CAUGHT_IN_THE_LOG = {
    "TurnsIgnored": ["test_change_out_of_turn_is_refused_whole"],
    "TurnsSeenTooLate": ["test_change_out_of_turn_is_refused_whole"],
    "TurnsRefusedByAnotherName": ["test_change_out_of_turn_is_refused_whole"],
    "RefusedEntriesWritten": ["test_change_out_of_turn_is_refused_whole"],
    "PlacesForgotten": ["test_change_in_turn_is_kept_with_its_place"],
    "NumbersForgotten": ["test_change_in_turn_is_kept_with_its_place"],
    "OneNumberForAll": ["test_accounts_take_turns_by_themselves"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault, database="MemoryDatabase")
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


@pytest.mark.parametrize("database", CAUGHT_IN_THE_LOG)
def test_suite_catches_a_faulty_log(database: str) -> None:
    expected = CAUGHT_IN_THE_LOG[database]
    fixtures = FIXTURES.format(fault="MemoryKeyStore", database=database)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_key_store() -> None:
    fixtures = FIXTURES.format(fault="MemoryKeyStore", database="MemoryDatabase")
    assert failed_tests(CONTRACT, fixtures) == set()
