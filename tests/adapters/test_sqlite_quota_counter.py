"""The SQLite quota counter keeps the contract of a quota counter, on a real file."""

from tests.adapters.sqlite_stores import OnAFile
from tollkeeper.contracts.quota_counter import QuotaCounterContract


class TestSqliteQuotaCounter(OnAFile, QuotaCounterContract):
    pass
