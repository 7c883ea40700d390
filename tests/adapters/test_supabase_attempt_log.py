"""The Supabase attempt log keeps the contract of an attempt log, over HTTP and a real database."""

from tests.adapters.supabase_projects import InAProject
from tests.adapters.supabase_projects import project as project
from tollkeeper.contracts.attempt_log import AttemptLogContract


class TestSupabaseAttemptLog(InAProject, AttemptLogContract):
    pass
