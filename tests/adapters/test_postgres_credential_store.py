"""The PostgreSQL credential store keeps the contract of a credential store, on a real server."""

from tests.adapters.postgres_databases import postgres_url as postgres_url
from tests.adapters.postgres_stores import InADatabase
from tollkeeper.contracts.credential_store import CredentialStoreContract


class TestPostgresCredentialStore(InADatabase, CredentialStoreContract):
    pass
