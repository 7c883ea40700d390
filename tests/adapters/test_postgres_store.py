"""The PostgreSQL store keeps the store's contract."""

from tests.adapters.postgres_databases import postgres_url as postgres_url
from tests.adapters.postgres_stores import InADatabase, InADatabaseBehindAPooler
from tollkeeper.contracts.store import StoreContract


class TestPostgresStore(InADatabase, StoreContract):
    pass


class TestPostgresStoreBehindAPooler(InADatabaseBehindAPooler, StoreContract):
    pass
