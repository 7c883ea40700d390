"""The PostgreSQL quota counter keeps the contract of a quota counter, on a real server."""

from tests.adapters.postgres_databases import postgres_url as postgres_url
from tests.adapters.postgres_stores import InADatabase
from tollkeeper.contracts.quota_counter import QuotaCounterContract


class TestPostgresQuotaCounter(InADatabase, QuotaCounterContract):
    pass
