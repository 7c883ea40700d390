"""The Supabase audit log keeps the contract of an audit log, over HTTP and a real database."""

from tests.adapters.supabase_projects import InAProject
from tests.adapters.supabase_projects import project as project
from tollkeeper.contracts.audit_log import AuditLogContract


class TestSupabaseAuditLog(InAProject, AuditLogContract):
    pass
