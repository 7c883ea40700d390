"""The PostgreSQL attempt log keeps the contract of an attempt log, on a real server."""

from tests.adapters.postgres_databases import postgres_url as postgres_url
from tests.adapters.postgres_stores import InADatabase
from tollkeeper.contracts.attempt_log import AttemptLogContract


class TestPostgresAttemptLog(InADatabase, AttemptLogContract):
    pass
