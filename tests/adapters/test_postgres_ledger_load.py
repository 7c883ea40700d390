"""Many callers at once, in one process and in several: the money comes out right to the cent."""

import asyncio
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.adapters.postgres_charges import (
    CENT,
    Charges,
    assert_no_task_above,
    assert_whole,
    capture,
    grant,
    place,
    sessions,
)
from tests.adapters.postgres_databases import postgres_url
from tests.servers.postgres import migrated_database, run_sql
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.ledger import PostgresLedger
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.ledger import Balance, Entry, Hold
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent

__all__ = ["postgres_url"]
ROOT = Path(__file__).parents[2]
GROUPED_AND_NOT = pytest.mark.parametrize("group", ["on", "off"])


@pytest.fixture
def own_database() -> Iterator[str]:
    with migrated_database() as url:
        yield url


@pytest.mark.soak
@GROUPED_AND_NOT
def test_four_processes_of_64_callers_spend_exactly_the_credit(
    own_database: str, group: str
) -> None:
    """Each key is asked for eight times, twice in each process, and charged once at most."""
    keys, credit, processes = 400, 250, 4
    asyncio.run(grant_in(own_database, Money(credit * CENT.nanos, "USD")))
    url, outcomes = f"{own_database}?timeout=30&group={group}", defaultdict[str, list[str]](list)
    with ExitStack() as stack:
        workers = [stack.enter_context(worker(url, keys, 64, seed)) for seed in range(processes)]
        for each in workers:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in workers:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        for each in workers:
            *lines, last = each.communicate(timeout=120)[0].splitlines()
            assert (each.returncode, last[:4], len(lines)) == (0, "done", 2 * keys)
            for line in lines:
                key, outcome = line.split()
                outcomes[key].append(outcome)

    assert {len(each) for each in outcomes.values()} == {2 * processes}
    charged = {key: set(each) - {"refused"} for key, each in outcomes.items()}
    assert all(len(entries) <= 1 for entries in charged.values()), "a key was charged twice"
    assert sum(map(len, charged.values())) == credit
    balance, entries, events = asyncio.run(books_in(own_database))
    assert (balance.posted.nanos, balance.held.nanos) == (0, 0)
    assert {entry.id for entry in entries[1:]} == set().union(*charged.values())
    assert len(entries) - 1 == len(events) == credit


async def grant_in(url: str, amount: Money) -> None:
    async with PostgresStore.from_url(url) as store:
        await grant(store.ledger, amount)


async def books_in(url: str) -> tuple[Balance, tuple[Entry, ...], tuple[UsageEvent, ...]]:
    async with PostgresStore.from_url(url) as store:
        return (
            await store.ledger.balance(account="acme", currency="USD"),
            await store.ledger.entries(account="acme", currency="USD", limit=10_000),
            await store.usage_log.events(account="acme", limit=10_000),
        )


@contextmanager
def worker(url: str, *numbers: int) -> Iterator[subprocess.Popen[str]]:
    """Start a process that charges; it does not outlive the block."""
    command = [sys.executable, "-m", "tests.adapters.postgres_worker", url, *map(str, numbers)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@GROUPED_AND_NOT
@pytest.mark.anyio
async def test_300_callers_who_leave_hand_their_answers_to_nobody(
    postgres_url: str, group: str
) -> None:
    """Each asks for an amount of its own, so that an answer to another would be seen."""
    account, chance = new_id("account"), random.Random(4)
    url, tasks = f"{postgres_url}?pool_size=6&timeout=30&group={group}", asyncio.all_tasks()
    async with PostgresConnections.from_url(url) as connections:
        ledger = PostgresLedger(connections)
        await grant(ledger, account=account)

        async def charge(n: int) -> Entry:
            amount = Money(n, "USD")
            hold = await place(ledger, f"key {n}", amount, account)
            assert (hold.idempotency_key, hold.amount) == (f"key {n}", amount)
            entry = await capture(ledger, hold, amount)
            assert (entry.hold_id, entry.amount) == (hold.id, -amount)
            return entry

        async def leave(n: int) -> Entry:
            task = asyncio.create_task(charge(n))
            await asyncio.sleep(chance.uniform(0, 0.1))
            task.cancel()
            return await task

        asked = [(leave if n % 2 else charge)(n) for n in range(1, 601)]
        ends = await asyncio.gather(*asked, return_exceptions=True)
        left = sum(isinstance(end, asyncio.CancelledError) for end in ends)
        assert left > 100, "they were too late to leave"
        assert all(isinstance(end, Entry) for end in ends[1::2]), "others were disturbed"

        # What they left half done is settled by the same calls made again.
        again = await asyncio.gather(*(charge(n) for n in range(1, 601)))
        assert [entry for entry in ends if isinstance(entry, Entry)] == [
            new for new, old in zip(again, ends, strict=True) if isinstance(old, Entry)
        ]
        balance = await ledger.balance(account=account, currency="USD")
        entries = await ledger.entries(account=account, currency="USD", limit=1000)
        assert balance.held.nanos == 0
        assert len(entries) == 601
        assert sum(entry.amount.nanos for entry in entries[1:]) == -sum(range(1, 601))
        await assert_whole(connections, postgres_url)
    await assert_no_task_above(tasks)


def test_one_store_works_in_one_event_loop_after_another(postgres_url: str) -> None:
    store = PostgresStore.from_url(f"{postgres_url}?pool_size=3")
    account = new_id("account")

    async def charge(loop: int) -> tuple[int, int]:
        async with store:
            await grant(store.ledger, account=account)
            holds = await asyncio.gather(
                *(place(store.ledger, f"{loop} {n}", CENT, account) for n in range(20))
            )
            # Some callers are still waiting when the loop ends.
            for n in range(20):
                asyncio.ensure_future(  # noqa: RUF006 - left on purpose
                    place(store.ledger, f"left {loop} {n}", CENT, account)
                )
            await asyncio.gather(*(capture(store.ledger, hold) for hold in holds))
            balance = await store.ledger.balance(account=account, currency="USD")
        return balance.sequence, await sessions(postgres_url)

    for loop in (1, 2, 3):
        sequence, left = asyncio.run(charge(loop))
        assert sequence == 1 + 20 * loop
        assert left == 0


@pytest.mark.anyio
async def test_two_stores_at_once_in_one_process_share_nothing_but_the_database(
    own_database: str, postgres_url: str
) -> None:
    """Two on one database behave as one; a third, on another, is not touched."""
    async with (
        PostgresStore.from_url(f"{own_database}?pool_size=3") as one,
        PostgresStore.from_url(f"{own_database}?pool_size=3&group=off") as two,
        PostgresStore.from_url(f"{postgres_url}?pool_size=3") as elsewhere,
    ):
        await grant(one.ledger, Money(30 * CENT.nanos, "USD"))
        asked = [place(each.ledger, f"key {n}", CENT) for n in range(40) for each in (one, two)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for first, second in zip(answers[::2], answers[1::2], strict=True):
            if isinstance(first, Hold) and isinstance(second, Hold):
                assert first.id == second.id, "a key was held for twice"
        assert len({hold.id for hold in answers if isinstance(hold, Hold)}) == 30
        for store in (one, two):
            balance = await store.ledger.balance(account="acme", currency="USD")
            assert balance.available.nanos == 0
        nothing = await elsewhere.ledger.balance(account="acme", currency="USD")
        assert (nothing.sequence, nothing.held.nanos) == (0, 0)


@pytest.mark.parametrize(
    "forgery",
    [
        pytest.param("DELETE FROM usage_events", id="usage was lost"),
        pytest.param("UPDATE balances SET posted = posted - 1", id="the balance is another"),
        pytest.param("UPDATE balances SET held = 1", id="money is held for nobody"),
        pytest.param(
            "SELECT place_hold('h', 'acme', 'USD', 1, '', 'h', now() + '1h', now());"
            "SELECT capture_hold('h', 1, 'USD', 'e', now(), '[]', '[]')",
            id="there is a charge that nobody knows of",
        ),
    ],
)
@pytest.mark.anyio
async def test_the_reckoning_finds_what_is_wrong(own_database: str, forgery: str) -> None:
    async with PostgresConnections.from_url(own_database) as connections:
        charges = Charges(PostgresLedger(connections))
        await charges.start(4)
        await charges.progress(20)
        await charges.finish()
    await charges.reckon(own_database)
    free = "SET session_replication_role = replica; SET search_path = tollkeeper;"
    await run_sql(own_database, free + forgery)
    with pytest.raises(AssertionError):
        await charges.reckon(own_database)
