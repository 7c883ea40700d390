"""The PostgreSQL adapters keep their contracts through a pooler in transaction mode.

A real one in between: two sessions for all, lent for one transaction each.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.adapters.postgres_databases import BehindAPooler
from tests.adapters.postgres_ledgers import WithALedger
from tests.adapters.postgres_stores import InADatabaseBehindAPooler
from tests.servers.pooler import TransactionPooler, pooler_aside
from tests.servers.postgres import migrated_database
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.outbox import PostgresOutbox
from tollkeeper.contracts.attempt_log import AttemptLogContract
from tollkeeper.contracts.audit_log import AuditLogContract
from tollkeeper.contracts.credential_store import CredentialStoreContract
from tollkeeper.contracts.data_key_store import DataKeyStoreContract
from tollkeeper.contracts.key_store import KeyStoreContract
from tollkeeper.contracts.ledger import LedgerContract
from tollkeeper.contracts.outbox import OutboxContract
from tollkeeper.contracts.plan_store import PlanStoreContract
from tollkeeper.contracts.quota_counter import QuotaCounterContract
from tollkeeper.contracts.store import StoreContract
from tollkeeper.contracts.usage_log import UsageLogContract


@pytest.fixture(scope="module")
def pooler() -> Iterator[TransactionPooler]:
    with migrated_database() as url, pooler_aside(url, size=2) as pooler:
        yield pooler
        assert pooler.lent > 100, "nobody came through the pooler"
        assert pooler.named == 0, "a prepared statement is of one session"


@pytest.fixture(scope="module")
def postgres_url(pooler: TransactionPooler) -> str:
    parts = urlsplit(pooler.url)
    return f"postgresql://{parts.username}@127.0.0.1:{pooler.port}{parts.path}"


class TestPostgresStoreThroughAPooler(InADatabaseBehindAPooler, StoreContract):
    pass


class TestPostgresKeyStoreThroughAPooler(InADatabaseBehindAPooler, KeyStoreContract):
    pass


class TestPostgresPlanStoreThroughAPooler(InADatabaseBehindAPooler, PlanStoreContract):
    pass


class TestPostgresAuditLogThroughAPooler(InADatabaseBehindAPooler, AuditLogContract):
    pass


class TestPostgresQuotaCounterThroughAPooler(InADatabaseBehindAPooler, QuotaCounterContract):
    pass


class TestPostgresDataKeyStoreThroughAPooler(InADatabaseBehindAPooler, DataKeyStoreContract):
    pass


class TestPostgresCredentialStoreThroughAPooler(InADatabaseBehindAPooler, CredentialStoreContract):
    pass


class TestPostgresUsageLogThroughAPooler(InADatabaseBehindAPooler, UsageLogContract):
    pass


class TestPostgresAttemptLogThroughAPooler(InADatabaseBehindAPooler, AttemptLogContract):
    pass


class TestPostgresLedgerThroughAPooler(WithALedger, LedgerContract):
    options = "pooler=transaction"


class TestPostgresOutboxThroughAPooler(BehindAPooler, OutboxContract):
    @pytest.fixture
    def outbox(self, connections: PostgresConnections) -> PostgresOutbox:
        return PostgresOutbox(connections)
