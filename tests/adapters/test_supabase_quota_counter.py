"""The Supabase quota counter keeps the contract of one, over HTTP and a real database."""

from tests.adapters.supabase_projects import InAProject
from tests.adapters.supabase_projects import project as project
from tollkeeper.contracts.quota_counter import QuotaCounterContract


class TestSupabaseQuotaCounter(InAProject, QuotaCounterContract):
    pass
