"""The PostgreSQL key store keeps the contract of a key store, on a real server."""

from tests.adapters.postgres_databases import postgres_url as postgres_url
from tests.adapters.postgres_stores import InADatabase
from tollkeeper.contracts.key_store import KeyStoreContract


class TestPostgresKeyStore(InADatabase, KeyStoreContract):
    pass
