"""The whole paid call: ours, and the credits table that one would write at home.

The model is the same in all of them, in the process and without a pause, so that what is measured
is what goes on around it.
"""

import json
import sqlite3
from contextlib import AsyncExitStack
from decimal import ROUND_UP, Decimal
from typing import Any

from benchmarks.contender import Arena, Benchmark, Case, Entry
from tollkeeper import Money, Principal, Settings, open_tollkeeper, user
from tollkeeper.adapters.offline.chat_model import OfflineChatModel
from tollkeeper.domain.chat import ChatRequest

_ACCOUNT = "acme"
_CREDIT = Money.of("1000000", "USD")
_PROMPT = "Why is the sky blue at noon, and red in the evening?"


class Ours:
    """``tk.complete``: admission, hold, model, capture with usage events, receipt."""

    def __init__(self, store: str) -> None:
        self._store = store
        self._charged = 0
        self._calls = 0

    async def open(self, arena: Arena) -> None:
        self._stack = AsyncExitStack()
        store = self._store.format(folder=arena.folder)
        settings = Settings(environment="test", store=store, transcribers={})
        self._tk = await self._stack.enter_async_context(open_tollkeeper(settings))
        await self._tk.grant_credit(account=_ACCOUNT, amount=_CREDIT, idempotency_key="welcome")
        self._principal = Principal(account=_ACCOUNT, scopes={"chat:complete"}, key_id="key_1")

    async def close(self) -> None:
        await self._stack.aclose()

    async def call(self, mode: str) -> int:
        answer = await self._tk.complete(
            self._principal, model="offline/echo", messages=[user(_PROMPT)]
        )
        assert answer.receipt is not None
        self._charged += answer.receipt.charged.nanos
        self._calls += 1
        return 1

    async def check(self) -> None:
        """Assert that balance, usage and receipts say the same, and that nothing is held."""
        report = await self._tk.report_usage(account=_ACCOUNT)
        [balance] = report.balances
        assert balance.posted.nanos == _CREDIT.nanos - self._charged
        assert balance.held.nanos == 0
        assert sum(total.charge.nanos for total in report.totals) == self._charged
        assert max(total.events for total in report.totals) == self._calls


class _ModelAlone:
    """The model without anything around it."""

    async def open(self, arena: Arena) -> None:
        self._model = OfflineChatModel.from_url("offline://", api_key=None)

    async def close(self) -> None:
        pass

    async def call(self, mode: str) -> int:
        await self.ask()
        return 1

    async def ask(self) -> tuple[int, int]:
        """Return the tokens that one answer took."""
        answer = await self._model.complete(ChatRequest("echo", [user(_PROMPT)], 1024))
        assert answer.usage is not None
        return answer.usage.input, answer.usage.output

    async def check(self) -> None:
        pass


class HomeMade(_ModelAlone):
    """Check the credit, call the model, deduct: one connection in the event loop.

    It is written as well as such a thing is: a write-ahead log, one transaction for the deduction
    and its usage row, flushed to the disk like ours. It has no hold (callers at once may all
    pass the same check), no idempotency, no receipt, no plan, no expiry.
    """

    def __init__(self) -> None:
        self._calls = 0
        self._charged = 0

    async def open(self, arena: Arena) -> None:
        await super().open(arena)
        self._db = sqlite3.connect(arena.folder / "credits.db", isolation_level=None)
        self._db.executescript(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL;
            CREATE TABLE credits (account TEXT PRIMARY KEY, nanos INTEGER NOT NULL);
            CREATE TABLE usage (id INTEGER PRIMARY KEY, account TEXT, model TEXT, input INTEGER,
                output INTEGER, nanos INTEGER, at TEXT DEFAULT CURRENT_TIMESTAMP, details TEXT);
            """
        )
        self._db.execute("INSERT INTO credits VALUES (?, ?)", (_ACCOUNT, _CREDIT.nanos))

    async def close(self) -> None:
        self._db.close()

    async def call(self, mode: str) -> int:
        row = self._db.execute("SELECT nanos FROM credits WHERE account = ?", (_ACCOUNT,))
        if row.fetchone()[0] <= 0:
            raise RuntimeError("no credit")
        read, written = await self.ask()
        dollars = Decimal("0.50") * read / 1_000_000 + Decimal("1.50") * written / 1_000_000
        nanos = int((dollars * 10**9).to_integral_value(ROUND_UP))
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute(
            "UPDATE credits SET nanos = nanos - ? WHERE account = ?", (nanos, _ACCOUNT)
        )
        self._db.execute(
            "INSERT INTO usage (account, model, input, output, nanos, details)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (_ACCOUNT, "offline/echo", read, written, nanos, json.dumps({"key": "key_1"})),
        )
        self._db.execute("COMMIT")
        self._calls += 1
        self._charged += nanos
        return 1

    async def check(self) -> None:
        """Assert that the table agrees with what was deducted."""
        [(left,)] = self._db.execute("SELECT nanos FROM credits").fetchall()
        [found] = self._db.execute("SELECT count(*), sum(nanos) FROM usage").fetchall()
        assert left == _CREDIT.nanos - self._charged
        assert found == (self._calls, self._charged)


def _ours(store: str) -> Any:
    return lambda: Ours(store)


METERED = Benchmark(
    name="metered",
    title="A whole metered completion on the offline model, one account",
    operation="call",
    entries=(
        Entry("sqlite", "tollkeeper, SQLite", _ours("sqlite:///{folder}/tk.db"), side="ours"),
        Entry("memory", "tollkeeper, memory", _ours("memory://"), side="ours"),
        Entry("home-made", "home-made credits, sqlite3", HomeMade),
        Entry("model", "the model alone", _ModelAlone, side="floor"),
    ),
    cases=(Case("1 at once", 1), Case("64 at once", 64)),
    baseline="sqlite",
)
