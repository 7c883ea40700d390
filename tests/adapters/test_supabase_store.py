"""The Supabase store keeps the contract of a store, over HTTP and a real database."""

from tests.adapters.supabase_projects import InAProject
from tests.adapters.supabase_projects import project as project
from tollkeeper.contracts.store import StoreContract


class TestSupabaseStore(InAProject, StoreContract):
    pass
