"""The PostgreSQL ledger keeps the contract of a ledger, on a real server.

Grouped and not, and with every change made by the functions for many.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.adapters.postgres_databases import postgres_url
from tests.adapters.postgres_ledgers import BatchedLedger, WithALedger
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.ledger import PostgresLedger
from tollkeeper.contracts.ledger import LedgerContract
from tollkeeper.contracts.ledger_machine import ledger_machine

__all__ = ["postgres_url"]


class TestPostgresLedger(WithALedger, LedgerContract):
    pass


class TestPostgresLedgerUngrouped(WithALedger, LedgerContract):
    options = "group=off"


class TestPostgresLedgerOfBatches(WithALedger, LedgerContract):
    @pytest.fixture
    def ledger(self, connections: PostgresConnections) -> PostgresLedger:
        return BatchedLedger(connections)


@pytest.fixture(scope="module", autouse=True)
def machines_database(postgres_url: str) -> Iterator[None]:
    databases.append(postgres_url)
    yield
    databases.clear()


databases: list[str] = []


@asynccontextmanager
async def open_ledger() -> AsyncIterator[PostgresLedger]:
    async with PostgresConnections.from_url(databases[-1]) as connections:
        yield PostgresLedger(connections)


@asynccontextmanager
async def open_batched_ledger() -> AsyncIterator[PostgresLedger]:
    async with PostgresConnections.from_url(databases[-1]) as connections:
        yield BatchedLedger(connections)


TestPostgresLedgerMachine = ledger_machine(open_ledger, examples=25).TestCase
TestPostgresLedgerMachineOfBatches = ledger_machine(open_batched_ledger, examples=25).TestCase
