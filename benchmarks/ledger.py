"""A hold and its capture, both on the disk: the shared commit, and two plain ways to do it.

The two plain ways write the same rows under the same guarantees (a write-ahead log, flushed at
each commit) and check the credit, but know no idempotency, expiry or replay.
"""

import asyncio
import itertools
import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.contender import Arena, Benchmark, Case, Entry
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent
from tollkeeper.ports.store import Store

_ACCOUNT = "acme"
_CREDIT = Money.of("1000000", "USD")
_HELD = Money(50_000, "USD")
_TAKEN = Money(20_000, "USD")
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_LATER = _NOW + timedelta(minutes=10)


class Ours:
    """``place_hold`` and ``capture`` of a ledger."""

    def __init__(self, make_store: Callable[[Arena], Store]) -> None:
        self._make_store = make_store
        self._numbers = itertools.count(1)

    async def open(self, arena: Arena) -> None:
        self._stack = AsyncExitStack()
        store = self._make_store(arena)
        if isinstance(store, SqliteStore):
            await self._stack.enter_async_context(store)
        self._store = store
        self._ledger = store.ledger
        await self._ledger.grant(
            account=_ACCOUNT, amount=_CREDIT, idempotency_key="g", entry_id="entry_0", at=_NOW
        )

    async def close(self) -> None:
        await self._stack.aclose()

    async def call(self, mode: str) -> int:
        call = f"call_{next(self._numbers):012d}"
        await self._ledger.place_hold(
            hold_id=call,
            account=_ACCOUNT,
            amount=_HELD,
            purpose="chat:complete offline/echo",
            idempotency_key=call,
            expires_at=_LATER,
            at=_NOW,
        )
        event = UsageEvent(
            id=f"{call}:output_tokens",
            account=_ACCOUNT,
            key_id="key_1",
            call_id=call,
            operation="chat:complete",
            model="offline/echo",
            meter=Meter.OUTPUT_TOKENS,
            quantity=10,
            provenance=Provenance.REPORTED,
            cost=_TAKEN,
            charge=_TAKEN,
            price_id="offline/*@2026-01-01",
            occurred_at=_NOW,
        )
        entry = await self._ledger.capture(
            hold_id=call, amount=_TAKEN, usage=[event], entry_id=f"entry_{call}", at=_NOW
        )
        assert entry.amount == -_TAKEN
        return 1

    async def check(self) -> None:
        """Assert that the balance is the credit less every capture, with nothing held."""
        calls = next(self._numbers) - 1
        balance = await self._ledger.balance(account=_ACCOUNT, currency="USD")
        assert balance.posted.nanos == _CREDIT.nanos - calls * _TAKEN.nanos
        assert balance.held.nanos == 0
        assert balance.sequence == calls + 1
        [total] = await self._store.usage_log.totals(account=_ACCOUNT)
        assert (total.events, total.charge.nanos) == (calls, calls * _TAKEN.nanos)


_SCHEMA = """
    PRAGMA journal_mode = WAL;
    CREATE TABLE balances (account TEXT PRIMARY KEY, posted INTEGER, held INTEGER);
    CREATE TABLE holds (id TEXT PRIMARY KEY, account TEXT, amount INTEGER, state TEXT,
        expires_at TEXT);
    CREATE TABLE entries (id TEXT PRIMARY KEY, account TEXT, amount INTEGER, at TEXT, hold TEXT);
    CREATE TABLE usage (id TEXT PRIMARY KEY, account TEXT, model TEXT, meter TEXT,
        quantity INTEGER, charge INTEGER, at TEXT);
"""


def _place(db: sqlite3.Connection, call: str) -> None:
    db.execute("BEGIN IMMEDIATE")
    [found] = db.execute("SELECT posted, held FROM balances WHERE account = ?", (_ACCOUNT,))
    if found[0] - found[1] < _HELD.nanos:
        raise RuntimeError("no credit")
    db.execute(
        "INSERT INTO holds VALUES (?, ?, ?, 'open', ?)",
        (call, _ACCOUNT, _HELD.nanos, _LATER.isoformat()),
    )
    db.execute("UPDATE balances SET held = held + ? WHERE account = ?", (_HELD.nanos, _ACCOUNT))
    db.execute("COMMIT")


def _capture(db: sqlite3.Connection, call: str) -> None:
    at = _NOW.isoformat()
    db.execute("BEGIN IMMEDIATE")
    [(state, held)] = db.execute("SELECT state, amount FROM holds WHERE id = ?", (call,))
    if state != "open":
        raise RuntimeError("captured already")
    db.execute("UPDATE holds SET state = 'captured' WHERE id = ?", (call,))
    db.execute(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?)",
        (f"entry_{call}", _ACCOUNT, -_TAKEN.nanos, at, call),
    )
    db.execute(
        "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?)",
        (call, _ACCOUNT, "offline/echo", "output_tokens", 10, _TAKEN.nanos, at),
    )
    db.execute(
        "UPDATE balances SET posted = posted - ?, held = held - ? WHERE account = ?",
        (_TAKEN.nanos, held, _ACCOUNT),
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
        self._db.execute("INSERT INTO balances VALUES (?, ?, 0)", (_ACCOUNT, _CREDIT.nanos))

    async def close(self) -> None:
        self._db.close()

    async def call(self, mode: str) -> int:
        call = f"call_{next(self._numbers):012d}"
        _place(self._db, call)
        await asyncio.sleep(0)  # the model would be called here
        _capture(self._db, call)
        return 1

    async def check(self) -> None:
        """Assert that the balance is the credit less every capture, with nothing held."""
        calls = next(self._numbers) - 1
        [found] = self._db.execute("SELECT posted, held FROM balances").fetchall()
        assert found == (_CREDIT.nanos - calls * _TAKEN.nanos, 0)
        [found] = self._db.execute("SELECT count(*), sum(charge) FROM usage").fetchall()
        assert found == (calls, calls * _TAKEN.nanos)


class ConnectionForEach(OneConnection):
    """A connection for each operation, in asyncio's own threads."""

    def _do(self, work: Callable[[sqlite3.Connection, str], None], call: str) -> None:
        with closing(self._connect()) as db:
            work(db, call)

    async def call(self, mode: str) -> int:
        call = f"call_{next(self._numbers):012d}"
        await asyncio.to_thread(self._do, _place, call)
        await asyncio.to_thread(self._do, _capture, call)
        return 1


def _ours(make_store: Callable[[Arena], Store]) -> Any:
    return lambda: Ours(make_store)


LEDGER = Benchmark(
    name="ledger",
    title="A hold and its capture with one usage event, one account",
    operation="hold + capture",
    entries=(
        Entry(
            "sqlite",
            "tollkeeper, SQLite",
            _ours(lambda arena: SqliteStore(arena.folder / "tk.db")),
            side="ours",
        ),
        Entry("memory", "tollkeeper, memory", _ours(lambda arena: MemoryStore()), side="ours"),
        Entry("for-each", "sqlite3, a connection each", ConnectionForEach),
        Entry("in-loop", "sqlite3, one connection", OneConnection),
    ),
    cases=(Case("1 at once", 1), Case("64 at once", 64)),
    baseline="sqlite",
)
