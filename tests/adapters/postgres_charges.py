"""Callers who charge an account on a PostgreSQL ledger, whatever befalls it; and the reckoning.

A caller whose call fails makes it again with the same arguments, as the port's contract says, and
notes what was acknowledged. The reckoning compares that with what the database holds.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import asyncpg
from attrs import define, field

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.ledger import PostgresLedger
from tollkeeper.contracts.samples import a_usage_event, new_id, usd
from tollkeeper.domain.errors import PortError
from tollkeeper.domain.ledger import Entry, Hold
from tollkeeper.domain.money import Money

T = TypeVar("T")
NOW = datetime(2001, 1, 1, 12, tzinfo=UTC)
CENT = usd("0.01")
HELD = usd("0.02")
CREDIT = usd(100_000)


async def grant(ledger: PostgresLedger, amount: Money = CREDIT, account: str = "acme") -> Entry:
    """Add credit."""
    return await ledger.grant(
        account=account, amount=amount, idempotency_key="a grant", entry_id=new_id("entry"), at=NOW
    )


async def place(
    ledger: PostgresLedger, key: str, amount: Money = HELD, account: str = "acme"
) -> Hold:
    """Set money aside for ten minutes."""
    return await ledger.place_hold(
        hold_id=new_id("hold"),
        account=account,
        amount=amount,
        purpose="a call",
        idempotency_key=key,
        expires_at=NOW + timedelta(minutes=10),
        at=NOW,
    )


async def capture(ledger: PostgresLedger, hold: Hold, amount: Money = CENT) -> Entry:
    """Take *amount* for the hold, with one usage event."""
    event = a_usage_event(hold.account, at=NOW, id=f"of {hold.id}", charge=amount)
    return await ledger.capture(
        hold_id=hold.id, amount=amount, usage=[event], entry_id=new_id("entry"), at=NOW
    )


@define(eq=False)
class Charges:
    """Charges a cent for each key, from many callers, until it is told to stop."""

    ledger: PostgresLedger
    account: str = "acme"
    acknowledged: dict[str, Entry] = field(factory=dict)
    errors: Counter[str] = field(factory=Counter)
    longest: float = 0.0
    """The longest that a single call took, in seconds."""
    _stopped: asyncio.Event = field(factory=asyncio.Event)
    _callers: list[asyncio.Task[None]] = field(factory=list)

    async def start(self, callers: int) -> None:
        """Let callers charge on and on."""
        await grant(self.ledger, account=self.account)
        self._callers = [asyncio.create_task(self._caller()) for _ in range(callers)]

    async def progress(self, charges: int, *, within: float = 20.0) -> None:
        """Wait until so many more charges were acknowledged."""
        aim = len(self.acknowledged) + charges
        async with asyncio.timeout(within):
            while len(self.acknowledged) < aim:
                await asyncio.sleep(0.005)

    async def finish(self, *, within: float = 20.0) -> None:
        """Begin no more charges, and wait until all that were begun are made."""
        self._stopped.set()
        async with asyncio.timeout(within):
            await asyncio.gather(*self._callers)

    async def _caller(self) -> None:
        while not self._stopped.is_set():
            key = new_id("key")
            hold = await self._until_it_is_done(partial(place, key=key, account=self.account))
            assert (hold.idempotency_key, hold.account) == (key, self.account)
            entry = await self._until_it_is_done(partial(capture, hold=hold))
            assert entry.hold_id == hold.id
            self.acknowledged[key] = entry

    async def _until_it_is_done(self, call: Callable[[PostgresLedger], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                return await call(self.ledger)
            except PortError as error:
                if not error.retryable:
                    raise
                self.errors[error.code] += 1
            finally:
                self.longest = max(self.longest, loop.time() - began)
            await asyncio.sleep(random.uniform(0.01, 0.05))

    async def reckon(self, url: str) -> None:
        """Assert that the database at *url* holds each acknowledged charge once, and no other."""
        connection = await asyncpg.connect(url)
        try:
            of = (self.account,)
            [posted, held, sequence] = await connection.fetchrow(
                "SELECT posted, held, sequence FROM tollkeeper.balances WHERE account = $1", *of
            )
            entries = await connection.fetch(
                "SELECT id, hold_id, amount, sequence, balance_after FROM tollkeeper.entries"
                " WHERE account = $1 ORDER BY sequence",
                *of,
            )
            holds = await connection.fetch(
                "SELECT id, idempotency_key, state FROM tollkeeper.holds WHERE account = $1", *of
            )
            events = await connection.fetch(
                "SELECT id FROM tollkeeper.usage_events WHERE account = $1", *of
            )
        finally:
            await connection.close()
        captures = {row["hold_id"]: row["id"] for row in entries if row["hold_id"]}
        keys = {row["id"]: row["idempotency_key"] for row in holds}
        assert [row["sequence"] for row in entries] == list(range(1, len(entries) + 1))
        assert sequence == len(entries) == 1 + len(captures)
        assert posted == sum(row["amount"] for row in entries) == entries[-1]["balance_after"]
        assert posted == CREDIT.nanos - len(captures) * CENT.nanos
        assert held == 0
        assert {row["state"] for row in holds} == {"captured"}
        assert {keys[hold]: entry for hold, entry in captures.items()} == {
            key: entry.id for key, entry in self.acknowledged.items()
        }
        assert sorted(row["id"] for row in events) == sorted(f"of {hold}" for hold in captures)


async def sessions(url: str) -> int:
    """Count the server's sessions on the database at *url*, but for the one that asks."""
    connection = await asyncpg.connect(url)
    try:
        return int(
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )
        )
    finally:
        await connection.close()


async def assert_whole(connections: PostgresConnections, url: str) -> None:
    """Assert that no connection is in use, and none forgotten at either end."""
    async with asyncio.timeout(10):
        while connections.idle != connections.size or await sessions(url) != connections.size:
            await asyncio.sleep(0.02)
    assert 1 <= connections.size <= connections.address.pool_size


async def assert_no_task_above(tasks: "set[asyncio.Task[object]]") -> None:
    """Assert that no task was left behind besides *tasks*."""
    async with asyncio.timeout(10):
        while not asyncio.all_tasks() <= tasks:
            await asyncio.sleep(0.02)
