"""The PostgreSQL audit log keeps the contract of an audit log, on a real server."""

from tests.adapters.postgres_databases import postgres_url as postgres_url
from tests.adapters.postgres_stores import InADatabase
from tollkeeper.contracts.audit_log import AuditLogContract


class TestPostgresAuditLog(InADatabase, AuditLogContract):
    pass
