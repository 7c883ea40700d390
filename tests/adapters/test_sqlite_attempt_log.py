"""The SQLite attempt log keeps the contract of an attempt log, on a real file."""

from tests.adapters.sqlite_stores import OnAFile
from tollkeeper.contracts.attempt_log import AttemptLogContract


class TestSqliteAttemptLog(OnAFile, AttemptLogContract):
    pass
