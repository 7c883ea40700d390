"""The Supabase key store keeps the contract of a key store, over HTTP and a real database."""

from tests.adapters.supabase_projects import InAProject
from tests.adapters.supabase_projects import project as project
from tollkeeper.contracts.key_store import KeyStoreContract


class TestSupabaseKeyStore(InAProject, KeyStoreContract):
    pass
