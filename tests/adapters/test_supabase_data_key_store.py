"""The Supabase data key store keeps the contract of one, over HTTP and a real database."""

from tests.adapters.supabase_projects import InAProject
from tests.adapters.supabase_projects import project as project
from tollkeeper.contracts.data_key_store import DataKeyStoreContract


class TestSupabaseDataKeyStore(InAProject, DataKeyStoreContract):
    pass
