"""The memory quota counter keeps the quota counter's contract."""

import pytest

from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.quota_counter import MemoryQuotaCounter
from tollkeeper.contracts.quota_counter import QuotaCounterContract


class TestMemoryQuotaCounter(QuotaCounterContract):
    @pytest.fixture
    def database(self) -> MemoryDatabase:
        return MemoryDatabase()

    @pytest.fixture
    def quota_counter(self, database: MemoryDatabase) -> MemoryQuotaCounter:
        return MemoryQuotaCounter(database)
