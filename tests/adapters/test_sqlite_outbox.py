"""The SQLite outbox keeps the outbox's contract, on a real file."""

import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.adapters.sqlite_calls import query
from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.outbox import SqliteOutbox, append_messages
from tollkeeper.contracts.outbox import OutboxContract
from tollkeeper.contracts.outbox_ends import a_message

NOW = datetime(2001, 1, 1, tzinfo=UTC)
COUNT = "SELECT count(*) FROM messages"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "tollkeeper.db", lock_timeout=5)
    await database.open()
    yield database
    await database.close()


class TestSqliteOutbox(OutboxContract):
    @pytest.fixture
    def outbox(self, database: Database) -> SqliteOutbox:
        return SqliteOutbox(database)


@pytest.mark.anyio
async def test_a_message_is_there_if_the_change_is(database: Database, tmp_path: Path) -> None:
    def change(connection: sqlite3.Connection, *, fails: bool) -> None:
        connection.execute(
            "INSERT INTO plans (name, operations, models, markup_bps) VALUES ('basic', '', '', 0)"
        )
        append_messages(connection, [a_message("acme", "mail", at=NOW)])
        if fails:
            raise LookupError

    with pytest.raises(LookupError):
        await database.change(lambda connection: change(connection, fails=True))
    assert query(tmp_path / "tollkeeper.db", COUNT) == [(0,)]
    await database.change(lambda connection: change(connection, fails=False))
    assert query(tmp_path / "tollkeeper.db", COUNT) == [(1,)]


@pytest.mark.anyio
async def test_what_is_asked_often_is_found_by_an_index(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "tollkeeper.db"
    page = "(created_at, id) > (0, '') ORDER BY created_at, id LIMIT 10"
    for where, index in (
        ("state = 'pending' AND topic = 'a' AND due_at <= 1 ORDER BY due_at, id", "due_messages"),
        (f"state = 'dead' AND {page}", "messages_by_state"),
        (f"account = 'a' AND state = 'dead' AND {page}", "messages_by_account"),
    ):
        plan = str(query(path, f"EXPLAIN QUERY PLAN SELECT id FROM messages WHERE {where}"))
        assert index in plan
        assert "TEMP B-TREE" not in plan
