"""The SQLite credential store keeps the contract of a credential store, on a real file."""

from tests.adapters.sqlite_stores import OnAFile
from tollkeeper.contracts.credential_store import CredentialStoreContract


class TestSqliteCredentialStore(OnAFile, CredentialStoreContract):
    pass
