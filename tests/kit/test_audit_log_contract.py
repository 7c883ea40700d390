"""The audit log's suite finds the faults that audit logs have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.audit_log:AuditLogContract"
FIXTURES = """
import pytest
from tests.kit.broken_stores import *
from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.key_store import MemoryKeyStore

@pytest.fixture
def database():
    return MemoryDatabase()

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
    "EntryPagesOffByOne": ["test_entries_come_in_pages"],
    "UnknownEntryIsTheFirst": ["test_unknown_page_is_not_there"],
    "DetailsForgotten": ["test_entry_comes_back_as_given"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_audit_log() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="MemoryAuditLog")) == set()


def test_suite_catches_a_writer_that_loses_entries() -> None:
    fixtures = FIXTURES.format(fault="MemoryAuditLog").replace(
        "return MemoryKeyStore(", "return EntriesLost("
    )
    expected = "test_concurrent_entries_are_all_kept"
    assert run_contract(CONTRACT, fixtures, only=[expected]) == {expected: "failed"}
