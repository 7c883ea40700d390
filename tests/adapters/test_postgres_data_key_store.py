"""The PostgreSQL data key store keeps the contract of a data key store, on a real server."""

from tests.adapters.postgres_databases import postgres_url as postgres_url
from tests.adapters.postgres_stores import InADatabase
from tollkeeper.contracts.data_key_store import DataKeyStoreContract


class TestPostgresDataKeyStore(InADatabase, DataKeyStoreContract):
    pass
