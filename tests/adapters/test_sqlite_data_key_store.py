"""The SQLite data key store keeps the contract of a data key store, on a real file."""

from tests.adapters.sqlite_stores import OnAFile
from tollkeeper.contracts.data_key_store import DataKeyStoreContract


class TestSqliteDataKeyStore(OnAFile, DataKeyStoreContract):
    pass
