"""The memory attempt log keeps the attempt log's contract."""

import pytest

from tollkeeper.adapters.memory.attempt_log import MemoryAttemptLog
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.ledger import MemoryLedger
from tollkeeper.contracts.attempt_log import AttemptLogContract


class TestMemoryAttemptLog(AttemptLogContract):
    @pytest.fixture
    def database(self) -> MemoryDatabase:
        return MemoryDatabase()

    @pytest.fixture
    def attempt_log(self, database: MemoryDatabase) -> MemoryAttemptLog:
        return MemoryAttemptLog(database)

    @pytest.fixture
    def ledger(self, database: MemoryDatabase) -> MemoryLedger:
        return MemoryLedger(database)
