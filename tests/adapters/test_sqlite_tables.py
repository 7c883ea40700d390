"""Tables in a SQLite file keep the contract, and leave the host's file as it is."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.tables_schema import for_sqlite
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.adapters.sqlite.tables import SqliteTables
from tollkeeper.contracts.tables import TablesContract
from tollkeeper.contracts.tables_samples import ADD, NOTES, VALUES, a_note
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    InvalidRequest,
    Timeout,
    Unavailable,
    Unsupported,
)
from tollkeeper.domain.filters import Everything, col
from tollkeeper.domain.queries import Order
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Column, Table


def run_sql(path: Path, *statements: str) -> list[Any]:
    """Run *statements* on the file, as the host does, and return the rows of the last."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [connection.execute(statement).fetchall() for statement in statements][-1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Make the host's file, with the tables of the contract."""
    path = tmp_path / "host.db"
    run_sql(path, *for_sqlite())
    return path


@pytest.fixture
async def tables(path: Path) -> AsyncIterator[SqliteTables]:
    async with SqliteTables(path) as tables:
        yield tables


class TestSqliteTables(TablesContract):
    @pytest.fixture
    async def tables(self, path: Path) -> AsyncIterator[SqliteTables]:
        async with SqliteTables(path) as tables:
            yield tables


@pytest.mark.anyio
async def test_a_relative_url_names_a_file_beside_the_process(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    async with SqliteTables.from_url("sqlite:///host.db") as tables:
        assert (await tables.select(NOTES)).rows == ()
        assert "4 tables" in await tables.health()
    async with SqliteTables.from_url(f"sqlite:///{path}") as tables:
        assert (await tables.select(NOTES)).rows == ()


@pytest.mark.parametrize(
    "url",
    [
        *(
            "sqlite://",
            "sqlite:///",
            "sqlite://host/x.db",
            "sqlite:///x.db?a=1",
            "sqlite:///:memory:",
        ),
        *("memory://", "sqlite:///folder/", "sqlite://[x/y"),
    ],
)
def test_malformed_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^tables: "):
        SqliteTables.from_url(url)


@pytest.mark.anyio
async def test_a_file_that_is_not_the_hosts_is_refused(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "store.db"):
        pass
    (tmp_path / "text.db").write_text("no database" * 100)
    run_sql(tmp_path / "wide.db", "PRAGMA encoding = 'UTF-16le'", "CREATE TABLE a (b)")
    for name, said in [
        ("store.db", "Tollkeeper's store"),
        ("missing.db", "is not there"),
        ("text.db", "no SQLite database"),
        ("wide.db", "UTF-8"),
    ]:
        with pytest.raises(ConfigurationError, match=said) as refused:
            async with SqliteTables(tmp_path / name):
                pass
        assert str(tmp_path) not in str(refused.value)
    assert not (tmp_path / "missing.db").exists()


@pytest.mark.anyio
async def test_nothing_of_ours_is_put_into_the_file(path: Path) -> None:
    before = run_sql(path, "SELECT sql FROM sqlite_schema ORDER BY name")
    async with SqliteTables(path) as tables:
        await tables.insert(NOTES, [a_note()])
    assert run_sql(path, "SELECT sql FROM sqlite_schema ORDER BY name") == before
    assert run_sql(path, "PRAGMA application_id") == [(0,)]
    assert run_sql(path, "PRAGMA journal_mode") == [("delete",)]
    assert {file.name for file in path.parent.iterdir()} == {"host.db"}


@pytest.mark.anyio
async def test_values_stand_in_the_file_as_is_told(tables: SqliteTables, path: Path) -> None:
    await tables.insert(VALUES, [{"id": 1, "a_json": {"a": [1]}, "a_boolean": True}])
    [row] = run_sql(path, "SELECT a_json, a_boolean FROM contract_values")
    assert row == ('{"a":[1]}', 1)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("a_boolean", "2"), ("a_integer", "'x'"), ("a_decimal", "'x'"), ("a_text", "x'00'")],
        *[("a_time", "'2001-01-01'"), ("a_date", "'2001-1-1'"), ("a_uuid", "'x'")],
        *[("a_json", "'{'"), ("a_bytes", "'x'")],
    ],
)
async def test_what_is_not_as_declared_is_an_error(
    tables: SqliteTables, path: Path, name: str, value: str
) -> None:
    run_sql(path, f"INSERT INTO contract_values (id, {name}) VALUES (1, {value})")
    with pytest.raises(CorruptResponse, match=name) as refused:
        await tables.select(VALUES)
    assert (refused.value.code, refused.value.port) == ("kind_mismatch", "tables")
    assert (await tables.select(VALUES, columns=["id"])).rows == ({"id": 1},)


@pytest.mark.anyio
async def test_null_where_none_was_declared_is_an_error(tables: SqliteTables) -> None:
    strict = Table(NOTES.name, {**NOTES.columns, "rank": Column(Kind.INTEGER)}, key="id")
    await tables.insert(NOTES, [a_note(rank=None), a_note(rank=1)])
    with pytest.raises(CorruptResponse, match="rank"):
        await tables.select(strict, order=[Order("rank")])


@pytest.mark.anyio
async def test_a_write_whose_answer_is_not_as_declared_leaves_nothing(
    tables: SqliteTables, path: Path
) -> None:
    run_sql(path, "CREATE TABLE loose (id INTEGER PRIMARY KEY, said TEXT DEFAULT 'text')")
    loose = Table("loose", {"id": Kind.INTEGER, "said": Kind.INTEGER}, key="id")
    with pytest.raises(CorruptResponse):
        await tables.insert(loose, [{"id": 1}])
    assert run_sql(path, "SELECT count(*) FROM loose") == [(0,)]


@pytest.mark.anyio
async def test_checks_at_the_end_of_a_transaction_fail_their_own_change_alone(
    tables: SqliteTables, path: Path
) -> None:
    run_sql(
        path,
        "CREATE TABLE late (id INTEGER PRIMARY KEY, up INTEGER NOT NULL REFERENCES late (id) "
        "DEFERRABLE INITIALLY DEFERRED)",
    )
    late = Table("late", {"id": Kind.INTEGER, "up": Kind.INTEGER}, key="id")
    steps = [tables.insert(late, [{"id": n, "up": n if n % 2 else -n}]) for n in range(1, 21)]
    answers = await asyncio.gather(*steps, return_exceptions=True)
    for number, answer in enumerate(answers, start=1):
        if number % 2:
            assert answer == ({"id": number, "up": number},)
        else:
            assert isinstance(answer, InvalidRequest)
            assert answer.code == "reference_broken"
    assert run_sql(path, "SELECT count(*) FROM late") == [(10,)]


@pytest.mark.anyio
async def test_a_trigger_may_refuse(tables: SqliteTables, path: Path) -> None:
    run_sql(
        path,
        "CREATE TRIGGER t BEFORE DELETE ON contract_notes "
        "BEGIN SELECT RAISE(ABORT, 'notes stay'); END",
    )
    await tables.insert(NOTES, [a_note()])
    with pytest.raises(InvalidRequest) as refused:
        await tables.delete(NOTES, where=Everything())
    assert refused.value.code == "check_failed"


@pytest.mark.anyio
async def test_what_is_not_unique_in_the_file_is_none_to_upsert_on(tables: SqliteTables) -> None:
    claimed = Table(NOTES.name, NOTES.columns, key="id", unique=["title"])
    with pytest.raises(InvalidRequest) as refused:
        await tables.upsert(claimed, [a_note("x")], on=["title"])
    assert refused.value.code == "invalid_rows"


@pytest.mark.anyio
async def test_a_strict_table_refuses_what_it_cannot_keep(tables: SqliteTables, path: Path) -> None:
    run_sql(path, "CREATE TABLE strict_one (id INTEGER PRIMARY KEY, said INTEGER) STRICT")
    wrong = Table("strict_one", {"id": Kind.INTEGER, "said": Kind.TEXT}, key="id")
    with pytest.raises(InvalidRequest) as refused:
        await tables.insert(wrong, [{"id": 1, "said": "a secret"}])
    assert refused.value.code == "value_refused"
    assert "a secret" not in str(refused.value)


@pytest.mark.anyio
async def test_a_file_that_another_process_holds_is_waited_for_and_given_up(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        async with SqliteTables(path, lock_timeout=timedelta(seconds=0.2)) as tables:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Timeout) as refused:
                await tables.insert(NOTES, [a_note()])
            assert (refused.value.port, refused.value.ambiguous) == ("tables", False)
            other.execute("COMMIT")
            await tables.insert(NOTES, [a_note()])


@pytest.mark.anyio
async def test_a_statement_that_takes_too_long_is_stopped_and_undone(path: Path) -> None:
    async with SqliteTables(path) as tables:
        await tables.insert(VALUES, [{"id": n, "a_text": str(n)} for n in range(1000)])
    where = ~col("a_text").contains("x")
    async with SqliteTables(path, timeout=timedelta(microseconds=1)) as hasty:
        for step in (
            hasty.select(VALUES, where=where, order=[Order("a_text")], limit=1000),
            hasty.update(VALUES, {"a_text": "y"}, where=where),
            hasty.delete(VALUES, where=where),
        ):
            with pytest.raises(Timeout, match="too long") as refused:
                await step
            assert (refused.value.port, refused.value.ambiguous) == ("tables", False)
        assert (await hasty.select(VALUES, where=col("id") == 3)).rows[0]["a_text"] == "3"
    assert run_sql(path, "SELECT count(*), max(a_text) FROM contract_values") == [(1000, "999")]


@pytest.mark.anyio
async def test_it_is_open_once_and_of_no_use_when_closed(path: Path) -> None:
    tables = SqliteTables(path)
    with pytest.raises(Unavailable, match="async with tables"):
        await tables.select(NOTES)
    async with tables:
        with pytest.raises(ConfigurationError, match=r"^tables: "):
            await tables.__aenter__()
    with pytest.raises(Unavailable):
        await tables.delete(NOTES, where=col("id") == 1)


@pytest.mark.anyio
async def test_there_are_no_functions(tables: SqliteTables) -> None:
    with pytest.raises(Unsupported) as refused:
        await tables.call(ADD, {"a": 1, "b": 2})
    assert refused.value.code == "functions_unsupported"
