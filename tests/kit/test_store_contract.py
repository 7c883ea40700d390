"""The store's suite finds stores whose parts do not see one another."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.store:StoreContract"
FIXTURES = """
import pytest
from attrs import evolve
from tollkeeper.adapters.memory.attempt_log import MemoryAttemptLog
from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.credential_store import MemoryCredentialStore
from tollkeeper.adapters.memory.data_key_store import MemoryDataKeyStore
from tollkeeper.adapters.memory.key_store import MemoryKeyStore
from tollkeeper.adapters.memory.quota_counter import MemoryQuotaCounter
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.adapters.memory.usage_log import MemoryUsageLog

class LedgerApart(MemoryStore):
    @property
    def usage_log(self):
        return MemoryUsageLog()

class AuditApart(MemoryStore):
    @property
    def audit_log(self):
        return MemoryAuditLog()

class AttemptsApart(MemoryStore):
    @property
    def attempt_log(self):
        return MemoryAttemptLog()

class ForgetfulParts(MemoryStore):
    @property
    def key_store(self):
        return MemoryKeyStore()

class PartMissing(MemoryStore):
    @property
    def plan_store(self):
        return None

class Telling(MemoryKeyStore):
    async def add(self, key, *, audit):
        self.database.write(self.database.placed(audit))
        await super().add(key, audit=evolve(audit, id=audit.id + " done"))

class RefusedAudited(MemoryStore):
    @property
    def key_store(self):
        return Telling(self.database)

class CredentialsApart(MemoryStore):
    @property
    def credential_store(self):
        return CREDENTIALS

CREDENTIALS = MemoryCredentialStore()

class Unknowing(MemoryDataKeyStore):
    async def destroy(self, *, account, data_key_id, audit):
        self.database.data_keys[data_key_id] = self.database.data_keys[data_key_id].destroy()
        self.database.write(self.database.placed(audit))

class DataKeysUnknowing(MemoryStore):
    @property
    def data_key_store(self):
        return Unknowing(self.database)

class ForgetfulCounter(MemoryStore):
    @property
    def quota_counter(self):
        return MemoryQuotaCounter()

class CounterMissing(MemoryStore):
    @property
    def quota_counter(self):
        return None

@pytest.fixture
def store():
    return {store}()
"""

CAUGHT_BY = {
    "LedgerApart": ["test_usage_log_sees_captures"],
    "AttemptsApart": [
        "test_attempt_log_sees_captures_and_releases",
        "test_parts_are_the_same_each_time",
    ],
    "AuditApart": ["test_audit_log_sees_changes_of_keys_and_plans_in_their_order"],
    "ForgetfulParts": ["test_parts_are_the_same_each_time"],
    "PartMissing": ["test_each_part_is_there"],
    "RefusedAudited": ["test_audit_log_sees_no_change_that_was_refused"],
    "CounterMissing": ["test_each_part_is_there"],
    "CredentialsApart": [
        "test_audit_log_sees_changes_of_data_keys_and_credentials_in_their_order",
        "test_data_keys_know_of_the_credentials_under_them",
    ],
    "DataKeysUnknowing": ["test_data_keys_know_of_the_credentials_under_them"],
    "ForgetfulCounter": ["test_quota_is_counted_on_whether_the_key_is_rotated_or_removed"],
}


@pytest.mark.parametrize("store", CAUGHT_BY)
def test_suite_catches(store: str) -> None:
    expected = CAUGHT_BY[store]
    fixtures = FIXTURES.format(store=store)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_store() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(store="MemoryStore")) == set()
