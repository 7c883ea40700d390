"""The SQLite usage log keeps the contract of a usage log, on a real file."""

from tests.adapters.sqlite_stores import OnAFile
from tollkeeper.contracts.usage_log import UsageLogContract


class TestSqliteUsageLog(OnAFile, UsageLogContract):
    pass
