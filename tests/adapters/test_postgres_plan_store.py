"""The PostgreSQL plan store keeps the contract of a plan store, on a real server."""

from tests.adapters.postgres_databases import postgres_url as postgres_url
from tests.adapters.postgres_stores import InADatabase
from tollkeeper.contracts.plan_store import PlanStoreContract


class TestPostgresPlanStore(InADatabase, PlanStoreContract):
    pass
