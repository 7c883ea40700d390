"""A file of version 1 becomes one of this version where it lies, whole or not at all."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.adapters.sqlite_calls import NOW, books, call, grant, query
from tests.adapters.sqlite_processes import lines, worker
from tests.adapters.sqlite_version_1 import NAMES, insert_event, write_version_1
from tollkeeper.adapters.sqlite.schema import SCHEMA_VERSION
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.contracts.samples import an_attempt, usd
from tollkeeper.domain.errors import Rejected, Timeout
from tollkeeper.domain.ledger import HoldState
from tollkeeper.domain.money import Money

pytestmark = pytest.mark.anyio
SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"
VERSION = "PRAGMA user_version"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tollkeeper.db"


@pytest.fixture
def old(path: Path) -> Path:
    write_version_1(path)
    return path


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    return {name: query(path, f"SELECT * FROM {name}") for name in NAMES}


def contents(path: Path) -> bytes:
    return path.read_bytes()


@contextlib.contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


async def test_upgrade_keeps_every_row(old: Path) -> None:
    before = rows(old)
    async with SqliteStore(old):
        pass
    new: dict[str, tuple[object, ...]] = {
        "usage_events": (1,),
        "api_keys": ("", None, "[]", None, None, "[]", "{}", None, None),
        "plans": ("closed",),
        "audit_entries": (1, b"", ""),
    }
    for table, columns in new.items():
        before[table] = [(*row, *columns) for row in before[table]]
    assert rows(old) == before
    assert query(old, VERSION) == [(SCHEMA_VERSION,)]
    assert query(old, "PRAGMA integrity_check") == [("ok",)]
    assert query(old, "PRAGMA foreign_key_check") == []


async def test_upgraded_file_reads_as_it_did(old: Path) -> None:
    async with SqliteStore(old) as store:
        assert await books(store) == (Money(490, "USD"), Money(30, "USD"))
        events = await store.usage_log.events(account="acme")
        assert [(event.id, event.attempt) for event in events] == [
            ("event_1", 1),
            ("event_2", 1),
            ("event_3", 1),
        ]
        assert await store.attempt_log.attempts(account="acme") == ()
        replayed = await store.ledger.capture(
            hold_id="hold_captured",
            amount=Money(10, "USD"),
            usage=events[:2],
            entry_id="new",
            at=NOW,
        )
        assert (replayed.id, replayed.description) == ("entry_2", "a call")
        released = await store.ledger.release(
            hold_id="hold_open", at=NOW, attempts=[an_attempt("acme", at=NOW)]
        )
        assert released.state is HoldState.RELEASED
        await grant(store, usd(1), "new")
        await call(store, "new")
        assert len(await store.attempt_log.attempts(account="acme")) == 2


async def test_upgraded_file_is_like_a_new_one(old: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.db"
    for each in (old, new):
        async with SqliteStore(each):
            pass
    assert query(old, SCHEMA) == query(new, SCHEMA)


async def test_second_opening_changes_nothing(old: Path) -> None:
    for _ in range(2):
        async with SqliteStore(old):
            pass
        upgraded = contents(old)
    async with SqliteStore(old):
        pass
    assert contents(old) == upgraded


async def test_many_upgrade_the_file_at_once(path: Path) -> None:
    write_version_1(path, events=2000)
    async with contextlib.AsyncExitStack() as stack:
        stores = [SqliteStore(path) for _ in range(16)]
        await asyncio.gather(*(stack.enter_async_context(store) for store in stores))
        await asyncio.gather(*(grant(store, usd(1), str(n)) for n, store in enumerate(stores)))
        assert (await books(stores[0]))[0] == usd(16) + Money(490, "USD")
        assert len(await stores[0].usage_log.events(account="acme", limit=5000)) == 2003


async def test_processes_upgrade_the_file_at_once(path: Path) -> None:
    write_version_1(path, events=2000)
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(worker("open_and_charge", path)) for _ in range(3)]
        told = [lines(process) for process in processes]
        assert [next(each) for each in told] == [["ready"]] * 3
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for each, process in zip(told, processes, strict=True):
            assert await asyncio.to_thread(next, each) == ["charged"]
            assert process.wait() == 0
    async with SqliteStore(path) as store:
        assert len(await store.usage_log.events(account="acme", limit=5000)) == 2006
        assert len(await store.attempt_log.attempts(account="acme")) == 3
        await books(store)
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


async def test_older_process_at_work_goes_on(old: Path) -> None:
    with connected(old) as older:
        insert_event(older, "before")
        async with SqliteStore(old) as store:
            insert_event(older, "after")
            events = await store.usage_log.events(account="acme")
    assert {event.id: event.attempt for event in events} == {
        **dict.fromkeys(("event_1", "event_2", "event_3"), 1),
        "before": 1,
        "after": 1,
    }


async def test_upgrade_that_fails_leaves_the_file_as_it_was(old: Path) -> None:
    with connected(old) as connection:
        connection.execute("CREATE TABLE attempts (of TEXT)")
    before, schema = rows(old), query(old, SCHEMA)
    with pytest.raises(Rejected):
        await SqliteStore(old).__aenter__()
    assert (rows(old), query(old, SCHEMA)) == (before, schema)
    assert query(old, VERSION) == [(1,)]
    with connected(old) as connection:
        connection.execute("DROP TABLE attempts")
    async with SqliteStore(old) as store:
        assert (await books(store))[0] == Money(490, "USD")


async def test_upgrade_waits_for_its_turn_and_gives_up(old: Path) -> None:
    with connected(old) as older:
        older.execute("BEGIN IMMEDIATE")
        insert_event(older, "in between")
        with pytest.raises(Timeout):
            await SqliteStore(old, lock_timeout=timedelta(seconds=0.05)).__aenter__()
        opening = asyncio.ensure_future(SqliteStore(old).__aenter__())
        await asyncio.sleep(0.02)
        assert not opening.done()
        older.execute("COMMIT")
        store = await opening
    try:
        events = await store.usage_log.events(account="acme")
        assert "in between" in {event.id for event in events}
    finally:
        await store.__aexit__(None, None, None)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE attempts SET cost = 0", "DELETE FROM attempts", "UPDATE usage_events SET attempt = 2"],
)
async def test_what_was_logged_cannot_be_changed_behind_our_back(old: Path, statement: str) -> None:
    async with SqliteStore(old) as store:
        await store.attempt_log.record([an_attempt("acme", at=NOW)])
        with connected(old) as connection, pytest.raises(sqlite3.IntegrityError, match="append"):
            connection.execute(statement)


async def test_pages_are_found_by_an_index(old: Path) -> None:
    async with SqliteStore(old):
        pass
    where = "account = 'a' AND started_at >= 0 AND (started_at, id) > (0, '')"
    order = "ORDER BY started_at, id LIMIT 10"
    for condition, index in (("", "by_account"), (" AND call_id = 'c'", "by_call")):
        plan = query(
            old, f"EXPLAIN QUERY PLAN SELECT * FROM attempts WHERE {where}{condition} {order}"
        )
        assert f"attempts_{index}" in str(plan)
        assert "TEMP B-TREE" not in str(plan)
