"""The audit log's suite finds the faults that audit logs have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.audit_log:AuditLogContract"
FIXTURES = """
import pytest
from tests.kit.broken_audit_logs import *
from tests.kit.broken_databases import *
from tests.kit.broken_stores import *
from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.key_store import MemoryKeyStore

@pytest.fixture
def database():
    return {database}()

@pytest.fixture
def audit_log(database):
    return {fault}(database)

@pytest.fixture
def key_store(database):
    return MemoryKeyStore(database)
"""

CAUGHT_BY = {
    "EntriesByTime": ["test_entries_come_in_the_order_of_writing"],
    "EntriesOfEveryone": ["test_accounts_do_not_see_one_another"],
    "NeverEmpty": ["test_log_of_an_account_never_named_is_empty"],
    "EntryPagesOffByOne": ["test_entries_come_in_pages"],
    "UnknownEntryIsTheFirst": ["test_unknown_page_is_not_there"],
    "DetailsForgotten": ["test_entry_comes_back_as_given"],
    "AppendedFirst": ["test_appended_entry_comes_after_what_was_written_with_changes"],
    "PagesNumberedAnew": ["test_each_account_is_numbered_by_itself"],
    "HeadOfTheFirst": ["test_head_is_the_last_entry"],
    "HeadOfAll": ["test_head_is_the_last_entry"],
    "AccountsAsTheyCame": ["test_accounts_that_have_entries_come_in_pages"],
    "AccountsForEachEntry": ["test_accounts_that_have_entries_come_in_pages"],
    "RacyAppend": [
        "test_concurrent_entries_leave_no_gap",
        "test_one_of_many_concurrent_entries_gets_the_turn",
        "test_chain_of_many_writers_holds",
    ],
    "NumbersWasted": ["test_cancelled_entry_leaves_no_gap"],
}
CAUGHT_IN_THE_LOG = {
    "TurnsIgnored": ["test_entry_out_of_turn_is_refused", "test_chain_of_many_writers_holds"],
    "RefusedEntriesWritten": ["test_entry_out_of_turn_is_refused"],
    "TurnsRefusedByAnotherName": ["test_entry_out_of_turn_is_refused"],
    "PlacesForgotten": ["test_place_in_the_chain_comes_back_as_given"],
    "MacsCutShort": ["test_place_in_the_chain_comes_back_as_given"],
    "NumbersForgotten": ["test_appended_entry_comes_after_what_was_written_with_changes"],
    "OneNumberForAll": ["test_each_account_is_numbered_by_itself"],
    "IdsIgnored": [
        "test_taken_id_is_refused",
        "test_change_whose_audit_id_is_taken_is_refused_whole",
    ],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault, database="MemoryDatabase")
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


@pytest.mark.parametrize("database", CAUGHT_IN_THE_LOG)
def test_suite_catches_a_faulty_log(database: str) -> None:
    expected = CAUGHT_IN_THE_LOG[database]
    fixtures = FIXTURES.format(fault="MemoryAuditLog", database=database)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_audit_log() -> None:
    fixtures = FIXTURES.format(fault="MemoryAuditLog", database="MemoryDatabase")
    assert failed_tests(CONTRACT, fixtures) == set()


def test_suite_catches_a_writer_that_loses_entries() -> None:
    fixtures = FIXTURES.format(fault="MemoryAuditLog", database="MemoryDatabase").replace(
        "return MemoryKeyStore(", "return EntriesLost("
    )
    expected = "test_concurrent_entries_are_all_kept"
    assert run_contract(CONTRACT, fixtures, only=[expected]) == {expected: "failed"}
