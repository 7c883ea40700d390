"""Stores on real files, for the tests of the SQLite adapter."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tollkeeper.adapters.sqlite.attempt_log import SqliteAttemptLog
from tollkeeper.adapters.sqlite.audit_log import SqliteAuditLog
from tollkeeper.adapters.sqlite.credential_store import SqliteCredentialStore
from tollkeeper.adapters.sqlite.data_key_store import SqliteDataKeyStore
from tollkeeper.adapters.sqlite.key_store import SqliteKeyStore
from tollkeeper.adapters.sqlite.ledger import SqliteLedger
from tollkeeper.adapters.sqlite.plan_store import SqlitePlanStore
from tollkeeper.adapters.sqlite.quota_counter import SqliteQuotaCounter
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.adapters.sqlite.usage_log import SqliteUsageLog


class OnAFile:
    """Fixtures: a store on a file of its own, and each of its parts."""

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        async with SqliteStore(tmp_path / "tollkeeper.db") as store:
            yield store

    @pytest.fixture
    async def ledger(self, store: SqliteStore) -> SqliteLedger:
        return store.ledger

    @pytest.fixture
    async def usage_log(self, store: SqliteStore) -> SqliteUsageLog:
        return store.usage_log

    @pytest.fixture
    async def key_store(self, store: SqliteStore) -> SqliteKeyStore:
        return store.key_store

    @pytest.fixture
    async def plan_store(self, store: SqliteStore) -> SqlitePlanStore:
        return store.plan_store

    @pytest.fixture
    async def audit_log(self, store: SqliteStore) -> SqliteAuditLog:
        return store.audit_log

    @pytest.fixture
    async def attempt_log(self, store: SqliteStore) -> SqliteAttemptLog:
        return store.attempt_log

    @pytest.fixture
    async def quota_counter(self, store: SqliteStore) -> SqliteQuotaCounter:
        return store.quota_counter

    @pytest.fixture
    async def data_key_store(self, store: SqliteStore) -> SqliteDataKeyStore:
        return store.data_key_store

    @pytest.fixture
    async def credential_store(self, store: SqliteStore) -> SqliteCredentialStore:
        return store.credential_store
