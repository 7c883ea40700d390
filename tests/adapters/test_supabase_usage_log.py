"""The Supabase usage log keeps the contract of a usage log, over HTTP and a real database."""

from tests.adapters.supabase_projects import InAProject
from tests.adapters.supabase_projects import project as project
from tollkeeper.contracts.usage_log import UsageLogContract


class TestSupabaseUsageLog(InAProject, UsageLogContract):
    pass
