"""The memory audit log keeps the audit log's contract."""

import pytest

from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.key_store import MemoryKeyStore
from tollkeeper.contracts.audit_log import AuditLogContract


class TestMemoryAuditLog(AuditLogContract):
    @pytest.fixture
    def database(self) -> MemoryDatabase:
        return MemoryDatabase()

    @pytest.fixture
    def audit_log(self, database: MemoryDatabase) -> MemoryAuditLog:
        return MemoryAuditLog(database)

    @pytest.fixture
    def key_store(self, database: MemoryDatabase) -> MemoryKeyStore:
        return MemoryKeyStore(database)
