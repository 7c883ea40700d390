"""The Supabase plan store keeps the contract of a plan store, over HTTP and a real database."""

from tests.adapters.supabase_projects import InAProject
from tests.adapters.supabase_projects import project as project
from tollkeeper.contracts.plan_store import PlanStoreContract


class TestSupabasePlanStore(InAProject, PlanStoreContract):
    pass
