"""The memory credential store keeps the credential store's contract."""

import pytest

from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.credential_store import MemoryCredentialStore
from tollkeeper.adapters.memory.data_key_store import MemoryDataKeyStore
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.contracts.credential_store import CredentialStoreContract


class TestMemoryCredentialStore(CredentialStoreContract):
    @pytest.fixture
    def database(self) -> MemoryDatabase:
        return MemoryDatabase()

    @pytest.fixture
    def credential_store(self, database: MemoryDatabase) -> MemoryCredentialStore:
        return MemoryCredentialStore(database)

    @pytest.fixture
    def data_key_store(self, database: MemoryDatabase) -> MemoryDataKeyStore:
        return MemoryDataKeyStore(database)

    @pytest.fixture
    def audit_log(self, database: MemoryDatabase) -> MemoryAuditLog:
        return MemoryAuditLog(database)
