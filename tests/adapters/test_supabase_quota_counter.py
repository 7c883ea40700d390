"""The Supabase quota counter keeps the contract of one, over HTTP and a real database."""

from tests.adapters.supabase_projects import InAProject
from tests.adapters.supabase_projects import project as project
from tollkeeper.contracts.quota_counter import QuotaCounterContract


class TestSupabaseQuotaCounter(InAProject, QuotaCounterContract):
    options = "timeout=30"  # two hundred requests at once, on a machine that may do much else
