"""The SQLite ledger keeps the contract of a ledger, on a real file."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.adapters.sqlite_stores import OnAFile
from tollkeeper.adapters.sqlite.ledger import SqliteLedger
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.contracts.ledger import LedgerContract
from tollkeeper.contracts.ledger_machine import ledger_machine


class TestSqliteLedger(OnAFile, LedgerContract):
    pass


@asynccontextmanager
async def open_ledger() -> AsyncIterator[SqliteLedger]:
    with tempfile.TemporaryDirectory() as folder:
        async with SqliteStore(Path(folder) / "tollkeeper.db") as store:
            yield store.ledger


TestSqliteLedgerMachine = ledger_machine(open_ledger, examples=35).TestCase
