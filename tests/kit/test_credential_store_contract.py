"""The credential store's suite finds the faults that credential stores have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.credential_store:CredentialStoreContract"
FIXTURES = """
import pytest
from tests.kit.broken_credential_stores import *
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
    return MemoryDataKeyStore(database)

@pytest.fixture
def credential_store(database):
    return {fault}(database)

@pytest.fixture
def audit_log(database):
    return MemoryAuditLog(database)
"""

CAUGHT_BY = {
    "SealedAsText": ["test_credential_comes_back_as_given"],
    "WholeSeconds": ["test_credential_comes_back_as_given"],
    "AnotherNameForNotFound": [
        "test_unknown_credential_is_not_there",
        "test_removed_credential_is_gone",
    ],
    "AccountBlind": [
        "test_credential_of_another_account_is_not_there",
        "test_credential_that_is_not_the_accounts_is_not_changed",
    ],
    "PagesOffByOne": ["test_credentials_come_in_pages"],
    "PagesThatNeedTheLast": ["test_credentials_under_a_data_key_come_in_pages_by_id"],
    "EncryptedWithAnything": ["test_credentials_under_a_data_key_come_in_pages_by_id"],
    "DataKeyStays": ["test_replaced_credential_is_seen_at_once"],
    "AuditsTheMove": ["test_replaced_credential_is_seen_at_once"],
    "NothingCompared": [
        "test_only_the_next_version_replaces",
        "test_one_of_many_concurrent_replacers_wins",
    ],
    "AnyVersionRemoved": ["test_only_the_next_version_replaces"],
    "RacyReplace": ["test_one_of_many_concurrent_replacers_wins"],
    "RemovedInName": ["test_removed_credential_is_gone"],
    "LabelsShared": ["test_account_has_one_credential_of_a_provider_and_label"],
    "LabelsOfEveryone": ["test_account_has_one_credential_of_a_provider_and_label"],
    "TakenByNoName": ["test_account_has_one_credential_of_a_provider_and_label"],
    "RacyLabels": ["test_one_of_many_concurrent_credentials_gets_the_label"],
    "AnyDataKey": [
        "test_data_key_has_to_be_there",
        "test_no_credential_outlives_its_data_key",
        "test_nothing_is_added_to_an_account_while_it_is_forgotten",
    ],
    "RacyDataKey": [
        "test_no_credential_outlives_its_data_key",
        "test_nothing_is_added_to_an_account_while_it_is_forgotten",
    ],
    "DataKeysStay": ["test_forgotten_account_has_no_credentials_and_no_data_keys"],
    "ForgetsEveryone": ["test_forgotten_account_has_no_credentials_and_no_data_keys"],
    "NothingToForget": ["test_account_that_has_nothing_is_forgotten_too"],
    "TornForgetting": ["test_cancelled_forgetting_is_whole"],
    "TornChange": ["test_cancelled_change_is_whole"],
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
    fixtures = FIXTURES.format(fault="MemoryCredentialStore", database=database)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_credential_store() -> None:
    fixtures = FIXTURES.format(fault="MemoryCredentialStore", database="MemoryDatabase")
    assert failed_tests(CONTRACT, fixtures) == set()
