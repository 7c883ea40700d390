"""Audit entries in a file: in one step with their changes, numbered, and there for good."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.adapters.sqlite_calls import NOW, query
from tests.adapters.sqlite_processes import lines, worker
from tests.adapters.sqlite_version_1 import insert_audit_entry, write_version_1
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.adapters.sqlite.versions import VERSIONS
from tollkeeper.contracts.audit_log_chains import KEY, chain
from tollkeeper.contracts.audit_turns import numbered
from tollkeeper.contracts.samples import an_api_key, an_audit_entry
from tollkeeper.domain.audit import ChainState, Fault, follow

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tollkeeper.db"


def execute(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def insert(**columns: object) -> str:
    """Write a statement that inserts an entry behind our back."""
    row = {
        "id": "'forged'",
        "at": 0,
        "account": "'acme'",
        "actor": "''",
        "action": "''",
        "subject": "''",
        "details": "'{}'",
        **columns,
    }
    return (
        f"INSERT INTO audit_entries ({', '.join(row)}) VALUES ({', '.join(map(str, row.values()))})"
    )


async def test_no_change_is_there_without_its_entry_after_kill_9(path: Path) -> None:
    """Between a change and its audit entry there is nowhere to crash (T24)."""
    told: set[str] = set()
    for _ in range(2):
        with worker("issue_on_and_on", path) as process:
            for count, (_, key_id) in enumerate(lines(process)):
                told.add(key_id)
                if count == 300:
                    process.kill()
        async with SqliteStore(path) as store:
            keys = await store.key_store.list(account="acme", limit=100_000)
            entries = await store.audit_log.entries(account="acme", limit=100_000)
        assert {key.id for key in keys} == {entry.subject for entry in entries} >= told
        assert len(entries) == len(keys)
        assert [entry.sequence for entry in entries] == [*range(1, len(entries) + 1)]


async def test_processes_that_share_a_file_make_one_chain_and_count_one_quota(path: Path) -> None:
    async with SqliteStore(path):
        pass
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(worker("chain_and_count", path)) for _ in range(3)]
        told = [lines(process) for process in processes]
        assert [next(each) for each in told] == [["ready"]] * 3
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        taken = [await asyncio.to_thread(next, each) for each in told]
        assert [process.wait() for process in processes] == [0, 0, 0]
    assert sum(int(count) for _, count in taken) == 100
    assert query(path, "SELECT used FROM quota_uses") == [(100,)]
    async with SqliteStore(path) as store:
        state = follow(ChainState(), await numbered(store.audit_log, "acme"), {KEY.id: KEY})
    assert (state.fault, state.entries) == (None, 30)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit_entries SET actor = 'nobody'", "append-only"),
        ("UPDATE audit_entries SET number = 9", "append-only"),
        ("UPDATE audit_entries SET mac = x'00'", "append-only"),
        ("DELETE FROM audit_entries", "append-only"),
        (insert(number=9), "without gaps"),
        (insert(number=1), "without gaps"),
        (insert(number=0), "without gaps"),
    ],
)
async def test_what_was_written_cannot_be_changed_behind_our_back(
    path: Path, statement: str, said: str
) -> None:
    """The application's own statements can neither update nor delete an entry (T24)."""
    async with SqliteStore(path) as store:
        await chain(store.audit_log, "acme", at=NOW)
        await chain(store.audit_log, "acme", at=NOW)
        with pytest.raises(sqlite3.IntegrityError, match=said):
            execute(path, statement)
        state = follow(ChainState(), await numbered(store.audit_log, "acme"), {KEY.id: KEY})
        assert (state.fault, state.entries) == (None, 2)


@pytest.mark.parametrize(
    ("statements", "fault"),
    [
        (["UPDATE audit_entries SET actor = 'nobody' WHERE number = 3"], (3, Fault.CHANGED)),
        (["UPDATE audit_entries SET at = at + 1 WHERE number = 1"], (1, Fault.CHANGED)),
        (["UPDATE audit_entries SET mac = x'00' WHERE number = 5"], (5, Fault.CHANGED)),
        (["UPDATE audit_entries SET mac = x'' WHERE number = 2"], (2, Fault.UNCHAINED)),
        (["UPDATE audit_entries SET mac_key = 'other' WHERE number = 2"], (2, Fault.UNKNOWN_KEY)),
        (["DELETE FROM audit_entries WHERE number = 4"], (4, Fault.GAP)),
        (
            [
                "DELETE FROM audit_entries WHERE number = 4",
                "UPDATE audit_entries SET number = 4 WHERE number = 5",
            ],
            (4, Fault.CHANGED),
        ),
        (
            [
                "UPDATE audit_entries SET number = 9 WHERE number = 2",
                "UPDATE audit_entries SET number = 2 WHERE number = 3",
                "UPDATE audit_entries SET number = 3 WHERE number = 9",
            ],
            (2, Fault.CHANGED),
        ),
    ],
)
async def test_first_entry_that_somebody_with_the_file_changed_is_named(
    path: Path, statements: list[str], fault: tuple[int, Fault]
) -> None:
    """Whoever can drop the triggers can change and reorder entries, but not unseen (T24)."""
    async with SqliteStore(path) as store:
        for _ in range(5):
            await chain(store.audit_log, "acme", at=NOW)
    for statement in ("DROP TRIGGER audit_stays", "DROP TRIGGER audit_lasts", *statements):
        execute(path, statement)
    async with SqliteStore(path) as store:
        entries = await store.audit_log.entries(account="acme")
    found = follow(ChainState(), entries, {KEY.id: KEY}).fault
    assert found is not None
    assert (found.sequence, found.fault) == fault


@pytest.mark.parametrize("version", [1, 2, 3])
async def test_entries_of_an_older_file_get_their_numbers(path: Path, version: int) -> None:
    write_version_1(path)
    for statement in (statement for each in VERSIONS[1:version] for statement in each):
        execute(path, statement)
    execute(path, f"PRAGMA user_version = {version}")
    owners = ["acme", "other", "acme", "Other", "other", "acme"]
    with contextlib.closing(sqlite3.connect(path)) as older:
        for n, owner in enumerate(owners):
            insert_audit_entry(older, f"old_{n}", owner)
        older.commit()
    async with SqliteStore(path) as store:
        ids = {
            who: [entry.id for entry in await numbered(store.audit_log, who)]
            for who in ("acme", "other", "Other")
        }
        assert ids == {
            "acme": ["audit_1", "old_0", "old_2", "old_5"],
            "other": ["old_1", "old_4"],
            "Other": ["old_3"],
        }
        assert await store.audit_log.accounts() == ("Other", "acme", "other")
        await chain(store.audit_log, "acme", at=NOW)
        state = follow(ChainState(), await numbered(store.audit_log, "acme"), {KEY.id: KEY})
        assert (state.fault, state.unchained, state.entries) == (None, 4, 1)


async def test_entries_of_an_older_process_at_work_are_numbered_too(path: Path) -> None:
    write_version_1(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as older:
        insert_audit_entry(older, "before", "acme")
        async with SqliteStore(path) as store:
            await store.audit_log.append(an_audit_entry("acme", at=NOW))
            for n in range(3):
                insert_audit_entry(older, f"after_{n}", "acme")
            await store.key_store.add(
                an_api_key("acme", at=NOW), audit=an_audit_entry("acme", at=NOW)
            )
            entries = await numbered(store.audit_log, "acme")
    assert len(entries) == 7
    assert [entry.id for entry in entries[3:6]] == ["after_0", "after_1", "after_2"]


async def test_what_is_asked_often_is_found_by_an_index(path: Path) -> None:
    async with SqliteStore(path):
        pass
    for question in (
        "number, mac FROM audit_entries WHERE account = 'a' ORDER BY number DESC LIMIT 1",
        "id FROM audit_entries WHERE account = 'a' AND number > 1 ORDER BY number LIMIT 10",
        "min(account) FROM audit_entries WHERE account > 'a'",
        "id FROM api_keys WHERE id > 'a' ORDER BY id LIMIT 10",
        "id FROM data_keys WHERE account = 'a' AND state = 'primary'",
        "id FROM data_keys WHERE id > 'a' AND state <> 'destroyed' ORDER BY id LIMIT 10",
        "id FROM data_keys WHERE account = 'a' ORDER BY created_at, id",
        "id FROM credentials WHERE data_key_id = 'a' AND id > 'a' ORDER BY id LIMIT 10",
        "1 FROM credentials WHERE account = 'a' AND provider = 'b' AND label = 'c' AND id <> 'd'",
    ):
        plan = str(query(path, f"EXPLAIN QUERY PLAN SELECT {question}"))
        assert "SEARCH" in plan
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan
