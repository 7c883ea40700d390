"""How changes share a transaction, and what a fault does to the others in it."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.adapters.sqlite_calls import CENT, NOW, books, call, grant, place, place_on, query
from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.ledger import SqliteLedger
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.contracts.samples import a_usage_event, an_api_key, an_audit_entry, usd
from tollkeeper.domain.errors import (
    Conflict,
    InsufficientCredit,
    InvalidRequest,
    Rejected,
    Timeout,
    Unavailable,
)
from tollkeeper.domain.ledger import Entry, Hold
from tollkeeper.domain.money import Money

pytestmark = pytest.mark.anyio
SHORTLY = timedelta(milliseconds=50)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tollkeeper.db"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock, as another process would."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def commits_in_the_log(path: Path) -> int:
    """Count the commit frames of the write-ahead log: what went to the disk in one step each."""
    log = path.with_name(f"{path.name}-wal").read_bytes()
    size = int.from_bytes(log[8:12])
    frames = [log[at : at + 24] for at in range(32, len(log), size + 24)]
    # A frame of the log's present round has the salts of the log's head.
    return sum(frame[4:8] != bytes(4) and frame[8:16] == log[16:24] for frame in frames)


async def test_concurrent_changes_share_a_commit(path: Path) -> None:
    async with SqliteStore(path) as store:
        await grant(store, usd(5))
        counted, in_the_log = store.commits, commits_in_the_log(path)
        await asyncio.gather(*(place(store, str(n)) for n in range(64)))
        assert store.commits - counted <= 8
        assert commits_in_the_log(path) - in_the_log == store.commits - counted
        assert await books(store) == (usd(5), usd("0.64"))


async def test_change_that_changes_nothing_costs_no_write(path: Path) -> None:
    async with SqliteStore(path) as store:
        entry = await grant(store, usd(5))
        in_the_log = commits_in_the_log(path)
        assert await grant(store, usd(5)) == entry
        assert await store.ledger.expire(at=NOW) == ()
        await store.health()
        assert commits_in_the_log(path) == in_the_log


async def test_refused_change_leaves_its_neighbours(path: Path) -> None:
    async with SqliteStore(path) as store:
        await grant(store, usd(1))
        taken = an_api_key("acme", at=NOW)
        await store.key_store.add(taken, audit=an_audit_entry("acme", at=NOW))
        event = a_usage_event("acme", at=NOW)
        answers = await asyncio.gather(
            call(store, "first"),
            place(store, "too dear", usd(2)),
            call(store, "second"),
            # Refused by the tables after part of it was written.
            store.key_store.add(taken, audit=an_audit_entry("acme", at=NOW)),
            call(store, "third"),
            store.usage_log.record([event, a_usage_event("acme", at=NOW, id="\ud800")]),
            call(store, "fourth"),
            return_exceptions=True,
        )
        kinds = [type(answer) for answer in answers]
        assert kinds[::2] == [Entry] * 4
        assert kinds[1::2] == [InsufficientCredit, Conflict, InvalidRequest]
        assert await books(store) == (usd("0.96"), usd(0))
        assert len(await store.audit_log.entries(account="acme")) == 1
        assert event not in await store.usage_log.events(account="acme")


async def test_fault_in_a_change_is_raised_and_undone(path: Path) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO balances VALUES ('acme', 'USD', 1, 0, 1)")
        raise ZeroDivisionError

    database = Database(path, lock_timeout=1)
    await database.open()
    with pytest.raises(ZeroDivisionError):
        await database.change(half)
    await database.close()
    assert query(path, "SELECT * FROM balances") == []


async def test_tables_refuse_what_the_rules_never_write(path: Path) -> None:
    async with SqliteStore(path) as store:
        await grant(store, usd(5))
        await call(store, "captured")
    database = Database(path, lock_timeout=1)
    await database.open()
    for wrong in (
        "UPDATE balances SET held = -1",
        "UPDATE holds SET state = 'lost'",
        "UPDATE holds SET state = 'open'",
        "UPDATE entries SET amount = 1",
        "DELETE FROM entries",
        "DELETE FROM usage_events",
        "DELETE FROM holds",
        "INSERT INTO balances VALUES ('acme', 'EUR', 'a lot', 0, 0)",
        "INSERT INTO subscriptions VALUES ('acme', 'no such plan', 0, NULL)",
    ):
        with pytest.raises(Rejected, match="a fault in Tollkeeper") as caught:
            await database.change(lambda connection, wrong=wrong: connection.execute(wrong))  # type: ignore[misc]
        assert isinstance(caught.value.__cause__, sqlite3.Error)
    await database.close()


async def test_locked_store_is_a_timeout_and_changes_nothing(path: Path) -> None:
    async with SqliteStore(path, lock_timeout=SHORTLY) as store:
        await grant(store, usd(1), "before")
        with locked(path):
            began = time.monotonic()
            answers = await asyncio.gather(
                *(grant(store, usd(1), str(n)) for n in range(200)), return_exceptions=True
            )
            assert {type(answer) for answer in answers} == {Timeout}
            # All of them waited together: one after another they would take ten seconds.
            assert 0.05 <= time.monotonic() - began < 5
            assert await books(store) == (usd(1), usd(0))
        for answer in answers:
            assert isinstance(answer, Timeout)
            assert (answer.retryable, answer.ambiguous) == (True, False)
            assert (answer.port, answer.adapter) == ("store", "sqlite")
            assert isinstance(answer.__cause__, sqlite3.OperationalError)
        await asyncio.gather(*(grant(store, usd(1), str(n)) for n in range(200)))
        assert await books(store) == (usd(201), usd(0))


async def test_change_waits_for_a_lock_that_is_given_back(path: Path) -> None:
    async with SqliteStore(path) as store:
        with locked(path):
            waiting = asyncio.ensure_future(grant(store, usd(1)))
            await asyncio.sleep(0.05)
            assert not waiting.done()
        await waiting
        assert await books(store) == (usd(1), usd(0))


async def test_locked_store_is_opened_and_read(path: Path) -> None:
    async with SqliteStore(path) as store:
        await grant(store, usd(1))
    with locked(path):
        async with SqliteStore(path, lock_timeout=SHORTLY) as store:
            assert await books(store) == (usd(1), usd(0))
            with pytest.raises(Timeout):
                await store.health()


async def test_change_that_did_not_begin_is_taken_back(path: Path) -> None:
    async with SqliteStore(path) as store:
        with locked(path):
            tasks = [asyncio.ensure_future(grant(store, usd(1), str(n))) for n in range(4)]
            await asyncio.sleep(0.02)
            for task in tasks[1:]:
                task.cancel()
            # The cancelled hear at once, though the lock is still held.
            await asyncio.wait(tasks[1:], timeout=1)
            assert [task.cancelled() for task in tasks] == [False, True, True, True]
        await tasks[0]
        assert await books(store) == (usd(1), usd(0))


async def test_cancelled_caller_hears_when_the_change_is_settled(path: Path) -> None:
    async with SqliteStore(path) as store:
        for n in range(100):
            account = f"account {n}"
            task = asyncio.ensure_future(grant(store, usd(1), account=account))
            for _ in range(n % 10):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            seen = await books(store, account)
            await store.health()
            assert await books(store, account) == seen


async def test_full_disk_is_unavailable_and_leaves_the_books_right(path: Path) -> None:
    database = Database(path, lock_timeout=1)
    await database.open()
    ledger = SqliteLedger(database)
    store = SqliteStore(path)

    async def place_all() -> list[object]:
        holds = (place_on(ledger, str(n)) for n in range(300))
        return list(await asyncio.gather(*holds, return_exceptions=True))

    async with store:
        await grant(store, usd(5))
    await database.change(lambda c: c.execute("PRAGMA max_page_count = 40").fetchall())
    answers = await place_all()
    refused = [answer for answer in answers if not isinstance(answer, Hold)]
    assert 0 < len(refused) < 300
    for answer in refused:
        assert isinstance(answer, Unavailable)
        assert (answer.retryable, answer.ambiguous) == (True, False)
        assert "disk that holds the store is full" in answer.public_message
    async with store:
        assert await books(store) == (usd(5), Money((300 - len(refused)) * CENT.nanos, "USD"))
    await database.change(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchall())
    assert {type(answer) for answer in await place_all()} == {Hold}
    await database.close()
    async with store:
        assert await books(store) == (usd(5), usd(3))


@pytest.mark.parametrize("text", ["\ud800", "nul \0 inside"])
async def test_text_that_no_column_takes_is_refused_or_kept(path: Path, text: str) -> None:
    async with SqliteStore(path) as store:
        await grant(store, CENT)
        if text.isascii():
            hold = await place(store, text)
            assert await place(store, text) == hold
            assert await store.key_store.find(text) is None
            return
        for use in (
            lambda: place(store, text),
            lambda: store.key_store.find(text),
            lambda: store.audit_log.entries(account=text),
        ):
            with pytest.raises(InvalidRequest, match="cannot be stored"):
                await use()
        assert await books(store) == (CENT, usd(0))
