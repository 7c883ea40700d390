"""Stores in real databases, for the tests of the PostgreSQL adapter."""

from collections.abc import AsyncIterator

import pytest

from tollkeeper.adapters.postgres.attempt_log import PostgresAttemptLog
from tollkeeper.adapters.postgres.audit_log import PostgresAuditLog
from tollkeeper.adapters.postgres.credential_store import PostgresCredentialStore
from tollkeeper.adapters.postgres.data_key_store import PostgresDataKeyStore
from tollkeeper.adapters.postgres.key_store import PostgresKeyStore
from tollkeeper.adapters.postgres.ledger import PostgresLedger
from tollkeeper.adapters.postgres.plan_store import PostgresPlanStore
from tollkeeper.adapters.postgres.quota_counter import PostgresQuotaCounter
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.adapters.postgres.usage_log import PostgresUsageLog


class InADatabase:
    """Fixtures: a store in the database of the file of tests, and each of its parts."""

    options = ""

    @pytest.fixture
    async def store(self, postgres_url: str) -> AsyncIterator[PostgresStore]:
        async with PostgresStore.from_url(f"{postgres_url}?{self.options}") as store:
            yield store

    @pytest.fixture
    async def ledger(self, store: PostgresStore) -> PostgresLedger:
        return store.ledger

    @pytest.fixture
    async def usage_log(self, store: PostgresStore) -> PostgresUsageLog:
        return store.usage_log

    @pytest.fixture
    async def key_store(self, store: PostgresStore) -> PostgresKeyStore:
        return store.key_store

    @pytest.fixture
    async def plan_store(self, store: PostgresStore) -> PostgresPlanStore:
        return store.plan_store

    @pytest.fixture
    async def audit_log(self, store: PostgresStore) -> PostgresAuditLog:
        return store.audit_log

    @pytest.fixture
    async def attempt_log(self, store: PostgresStore) -> PostgresAttemptLog:
        return store.attempt_log

    @pytest.fixture
    async def quota_counter(self, store: PostgresStore) -> PostgresQuotaCounter:
        return store.quota_counter

    @pytest.fixture
    async def data_key_store(self, store: PostgresStore) -> PostgresDataKeyStore:
        return store.data_key_store

    @pytest.fixture
    async def credential_store(self, store: PostgresStore) -> PostgresCredentialStore:
        return store.credential_store


class InADatabaseBehindAPooler(InADatabase):
    """The same, as behind a pooler in transaction mode."""

    options = "pooler=transaction"
