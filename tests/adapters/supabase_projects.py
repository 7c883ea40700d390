"""Projects for the tests of the Supabase adapters: import the fixtures that a file needs."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.servers.postgrest import PostgrestServer, postgrest_server
from tests.servers.postgrest_database import project_database
from tollkeeper.adapters.supabase.attempt_log import SupabaseAttemptLog
from tollkeeper.adapters.supabase.audit_log import SupabaseAuditLog
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.credential_store import SupabaseCredentialStore
from tollkeeper.adapters.supabase.data_key_store import SupabaseDataKeyStore
from tollkeeper.adapters.supabase.key_store import SupabaseKeyStore
from tollkeeper.adapters.supabase.ledger import SupabaseLedger
from tollkeeper.adapters.supabase.plan_store import SupabasePlanStore
from tollkeeper.adapters.supabase.quota_counter import SupabaseQuotaCounter
from tollkeeper.adapters.supabase.store import SupabaseStore
from tollkeeper.adapters.supabase.usage_log import SupabaseUsageLog


@pytest.fixture(scope="module")
def project() -> Iterator[PostgrestServer]:
    """A project with the whole schema and nothing in it, for one file of tests."""
    with project_database() as database, postgrest_server(database) as server:
        yield server


@pytest.fixture(scope="module")
def small_project() -> Iterator[PostgrestServer]:
    """The same, where the project returns as few rows at once as it may."""
    with project_database() as database, postgrest_server(database, max_rows=128) as server:
        yield server


async def until_free(connections: SupabaseConnections) -> None:
    """Wait, not for long, until no request is under way: some outlast those who asked."""
    async with asyncio.timeout(3):
        while connections.in_use:
            await asyncio.sleep(0.01)


class InAProject:
    """Fixtures: a store in the project of the file of tests, and each of its parts."""

    options = ""

    @pytest.fixture
    async def store(self, project: PostgrestServer) -> AsyncIterator[SupabaseStore]:
        async with SupabaseStore.from_url(project.store_url(options=self.options)) as store:
            yield store

    @pytest.fixture
    async def ledger(self, store: SupabaseStore) -> SupabaseLedger:
        return store.ledger

    @pytest.fixture
    async def usage_log(self, store: SupabaseStore) -> SupabaseUsageLog:
        return store.usage_log

    @pytest.fixture
    async def key_store(self, store: SupabaseStore) -> SupabaseKeyStore:
        return store.key_store

    @pytest.fixture
    async def plan_store(self, store: SupabaseStore) -> SupabasePlanStore:
        return store.plan_store

    @pytest.fixture
    async def audit_log(self, store: SupabaseStore) -> SupabaseAuditLog:
        return store.audit_log

    @pytest.fixture
    async def attempt_log(self, store: SupabaseStore) -> SupabaseAttemptLog:
        return store.attempt_log

    @pytest.fixture
    async def quota_counter(self, store: SupabaseStore) -> SupabaseQuotaCounter:
        return store.quota_counter

    @pytest.fixture
    async def data_key_store(self, store: SupabaseStore) -> SupabaseDataKeyStore:
        return store.data_key_store

    @pytest.fixture
    async def credential_store(self, store: SupabaseStore) -> SupabaseCredentialStore:
        return store.credential_store
