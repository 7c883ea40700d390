"""The memory ledger keeps the ledger's contract."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.ledger import MemoryLedger
from tollkeeper.adapters.memory.usage_log import MemoryUsageLog
from tollkeeper.contracts.ledger import LedgerContract
from tollkeeper.contracts.ledger_machine import ledger_machine


class TestMemoryLedger(LedgerContract):
    @pytest.fixture
    def database(self) -> MemoryDatabase:
        return MemoryDatabase()

    @pytest.fixture
    def ledger(self, database: MemoryDatabase) -> MemoryLedger:
        return MemoryLedger(database)

    @pytest.fixture
    def usage_log(self, database: MemoryDatabase) -> MemoryUsageLog:
        return MemoryUsageLog(database)


@asynccontextmanager
async def open_ledger() -> AsyncIterator[MemoryLedger]:
    yield MemoryLedger()


TestMemoryLedgerMachine = ledger_machine(open_ledger).TestCase
