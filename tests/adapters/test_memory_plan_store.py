"""The memory plan store keeps the plan store's contract."""

import pytest

from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.plan_store import MemoryPlanStore
from tollkeeper.contracts.plan_store import PlanStoreContract


class TestMemoryPlanStore(PlanStoreContract):
    @pytest.fixture
    def database(self) -> MemoryDatabase:
        return MemoryDatabase()

    @pytest.fixture
    def plan_store(self, database: MemoryDatabase) -> MemoryPlanStore:
        return MemoryPlanStore(database)

    @pytest.fixture
    def audit_log(self, database: MemoryDatabase) -> MemoryAuditLog:
        return MemoryAuditLog(database)
