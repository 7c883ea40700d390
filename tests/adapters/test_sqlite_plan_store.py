"""The SQLite plan store keeps the contract of a plan store, on a real file."""

from tests.adapters.sqlite_stores import OnAFile
from tollkeeper.contracts.plan_store import PlanStoreContract


class TestSqlitePlanStore(OnAFile, PlanStoreContract):
    pass
