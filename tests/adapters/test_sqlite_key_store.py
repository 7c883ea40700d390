"""The SQLite key store keeps the contract of a key store, on a real file."""

from tests.adapters.sqlite_stores import OnAFile
from tollkeeper.contracts.key_store import KeyStoreContract


class TestSqliteKeyStore(OnAFile, KeyStoreContract):
    pass
