"""The memory key store keeps the key store's contract."""

import pytest

from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.key_store import MemoryKeyStore
from tollkeeper.contracts.key_store import KeyStoreContract


class TestMemoryKeyStore(KeyStoreContract):
    @pytest.fixture
    def database(self) -> MemoryDatabase:
        return MemoryDatabase()

    @pytest.fixture
    def key_store(self, database: MemoryDatabase) -> MemoryKeyStore:
        return MemoryKeyStore(database)

    @pytest.fixture
    def audit_log(self, database: MemoryDatabase) -> MemoryAuditLog:
        return MemoryAuditLog(database)
