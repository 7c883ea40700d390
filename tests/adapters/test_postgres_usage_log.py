"""The PostgreSQL usage log keeps the contract of a usage log, on a real server."""

from tests.adapters.postgres_databases import postgres_url as postgres_url
from tests.adapters.postgres_stores import InADatabase
from tollkeeper.contracts.usage_log import UsageLogContract


class TestPostgresUsageLog(InADatabase, UsageLogContract):
    pass
