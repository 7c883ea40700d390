"""The Supabase credential store keeps the contract of one, over HTTP and a real database."""

from tests.adapters.supabase_projects import InAProject
from tests.adapters.supabase_projects import project as project
from tollkeeper.contracts.credential_store import CredentialStoreContract


class TestSupabaseCredentialStore(InAProject, CredentialStoreContract):
    pass
