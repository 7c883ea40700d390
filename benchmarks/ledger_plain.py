"""Two plain ways to keep a hold and its capture in SQLite.

They write the same rows under the same guarantees (a write-ahead log, flushed at each commit) and
check the credit, but know no idempotency, expiry or replay.
"""

import asyncio
import itertools
import sqlite3
from collections.abc import Callable
from contextlib import closing

from benchmarks.contender import Arena
from benchmarks.ledger_work import ACCOUNTS, CREDIT, HELD, LATER, NOW, TAKEN, account_of

_SCHEMA = """
    PRAGMA journal_mode = WAL;
    CREATE TABLE balances (account TEXT PRIMARY KEY, posted INTEGER, held INTEGER);
    CREATE TABLE holds (id TEXT PRIMARY KEY, account TEXT, amount INTEGER, state TEXT,
        expires_at TEXT);
    CREATE TABLE entries (id TEXT PRIMARY KEY, account TEXT, amount INTEGER, at TEXT, hold TEXT);
    CREATE TABLE usage (id TEXT PRIMARY KEY, account TEXT, model TEXT, meter TEXT,
        quantity INTEGER, charge INTEGER, at TEXT);
"""
_Work = Callable[[sqlite3.Connection, str, str], None]


def _place(db: sqlite3.Connection, call: str, account: str) -> None:
    db.execute("BEGIN IMMEDIATE")
    [found] = db.execute("SELECT posted, held FROM balances WHERE account = ?", (account,))
    if found[0] - found[1] < HELD.nanos:
        raise RuntimeError("no credit")
    db.execute(
        "INSERT INTO holds VALUES (?, ?, ?, 'open', ?)",
        (call, account, HELD.nanos, LATER.isoformat()),
    )
    db.execute("UPDATE balances SET held = held + ? WHERE account = ?", (HELD.nanos, account))
    db.execute("COMMIT")


def _capture(db: sqlite3.Connection, call: str, account: str) -> None:
    at = NOW.isoformat()
    db.execute("BEGIN IMMEDIATE")
    [(state, held)] = db.execute("SELECT state, amount FROM holds WHERE id = ?", (call,))
    if state != "open":
        raise RuntimeError("captured already")
    db.execute("UPDATE holds SET state = 'captured' WHERE id = ?", (call,))
    db.execute(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?)",
        (f"entry_{call}", account, -TAKEN.nanos, at, call),
    )
    db.execute(
        "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?)",
        (call, account, "offline/echo", "output_tokens", 10, TAKEN.nanos, at),
    )
    db.execute(
        "UPDATE balances SET posted = posted - ?, held = held - ? WHERE account = ?",
        (TAKEN.nanos, held, account),
    )
    db.execute("COMMIT")


class OneConnection:
    """sqlite3 in the event loop: every caller waits for every commit."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, timeout=30)
        db.execute("PRAGMA synchronous = FULL")
        return db

    async def open(self, arena: Arena) -> None:
        self._path = arena.folder / "plain.db"
        self._db = self._connect()
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")
        for account in ACCOUNTS:
            self._db.execute("INSERT INTO balances VALUES (?, ?, 0)", (account, CREDIT.nanos))
        self._db.execute("COMMIT")

    async def close(self) -> None:
        self._db.close()

    async def call(self, mode: str) -> int:
        number = next(self._numbers)
        call, account = f"call_{number:012d}", account_of(mode, number)
        _place(self._db, call, account)
        await asyncio.sleep(0)  # the model would be called here
        _capture(self._db, call, account)
        return 1

    async def check(self) -> None:
        """Assert that the balances are the credit less every capture, with nothing held."""
        calls = next(self._numbers) - 1
        [found] = self._db.execute("SELECT sum(posted), sum(held) FROM balances").fetchall()
        assert found == (len(ACCOUNTS) * CREDIT.nanos - calls * TAKEN.nanos, 0)
        [found] = self._db.execute("SELECT count(*), sum(charge) FROM usage").fetchall()
        assert found == (calls, calls * TAKEN.nanos)


class ConnectionForEach(OneConnection):
    """A connection for each operation, in asyncio's own threads."""

    def _do(self, work: _Work, call: str, account: str) -> None:
        with closing(self._connect()) as db:
            work(db, call, account)

    async def call(self, mode: str) -> int:
        number = next(self._numbers)
        call, account = f"call_{number:012d}", account_of(mode, number)
        await asyncio.to_thread(self._do, _place, call, account)
        await asyncio.to_thread(self._do, _capture, call, account)
        return 1
