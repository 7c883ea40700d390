"""The SQLite audit log keeps the contract of an audit log, on a real file."""

from tests.adapters.sqlite_stores import OnAFile
from tollkeeper.contracts.audit_log import AuditLogContract


class TestSqliteAuditLog(OnAFile, AuditLogContract):
    pass
