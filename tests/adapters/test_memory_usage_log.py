"""The memory usage log keeps the usage log's contract."""

import pytest

from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.ledger import MemoryLedger
from tollkeeper.adapters.memory.usage_log import MemoryUsageLog
from tollkeeper.contracts.usage_log import UsageLogContract


class TestMemoryUsageLog(UsageLogContract):
    @pytest.fixture
    def database(self) -> MemoryDatabase:
        return MemoryDatabase()

    @pytest.fixture
    def usage_log(self, database: MemoryDatabase) -> MemoryUsageLog:
        return MemoryUsageLog(database)

    @pytest.fixture
    def ledger(self, database: MemoryDatabase) -> MemoryLedger:
        return MemoryLedger(database)
