"""Whatever is done to them, tables in memory, SQLite and PostgreSQL hold and answer the same."""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from attrs import frozen
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.adapters.tables_schema import for_postgres, for_sqlite
from tests.servers.postgres import empty_database, run_sql
from tollkeeper.adapters.memory.tables import MemoryTables
from tollkeeper.adapters.postgres.tables import PostgresTables
from tollkeeper.adapters.sqlite.tables import SqliteTables
from tollkeeper.contracts.tables_samples import every_row
from tollkeeper.domain.errors import DomainError
from tollkeeper.domain.filters import (
    And,
    Compare,
    Comparison,
    Everything,
    Filter,
    IsNull,
    Not,
    OneOf,
    Or,
)
from tollkeeper.domain.queries import Order
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Column, Table
from tollkeeper.ports.tables import Tables

KINDS = {kind: Column(kind, nullable=True) for kind in Kind if kind is not Kind.JSON}
THINGS = Table(
    "things",
    {"a": Kind.TEXT, "b": Kind.INTEGER, **{f"a_{kind}": one for kind, one in KINDS.items()}},
    key=("a", "b"),
    unique=["a_integer"],
)
TEXTS = st.text("aAb%_é😀 \n'\"\\", max_size=3)
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.BOOLEAN: st.booleans(),
    Kind.INTEGER: st.integers(-2, 12) | st.integers(-(1 << 63), (1 << 63) - 1),
    Kind.FLOAT: st.sampled_from([0.0, 0.5, -1.5, 1e300, 1e-300]) | st.floats(-3, 3, width=16),
    Kind.DECIMAL: st.decimals(-20, 20, places=2) | st.sampled_from([Decimal("1E+30"), Decimal(9)]),
    Kind.TEXT: TEXTS,
    Kind.BYTES: st.binary(max_size=2),
    Kind.TIME: st.sampled_from(
        [datetime(2001, 1, day, microsecond=n, tzinfo=UTC) for day in (1, 2) for n in (0, 1)]
    ),
    Kind.DATE: st.dates(date(1999, 12, 30), date(2000, 1, 2)),
    Kind.UUID: st.sampled_from([UUID(int=n) for n in (0, 1, 1 << 127)]),
}
ROWS = st.fixed_dictionaries(
    {
        "a": st.sampled_from(["", "x", "X", "y"]),
        "b": st.integers(0, 3),
        **{f"a_{kind}": st.none() | VALUES[kind] for kind in KINDS},
    }
)
OF_TEXT = (Comparison.STARTS_WITH, Comparison.CONTAINS)


def _conditions() -> st.SearchStrategy[Filter]:
    def of(kind: Kind) -> st.SearchStrategy[Filter]:
        column, value = st.just(f"a_{kind}"), VALUES[kind]
        how = [one for one in Comparison if kind is Kind.TEXT or one not in OF_TEXT]
        return st.one_of(
            st.builds(Compare, column, st.sampled_from(how), value),
            st.builds(OneOf, column, st.lists(value, max_size=4)),
            st.builds(IsNull, column),
        )

    leaves = st.one_of(*(of(kind) for kind in KINDS), st.builds(Everything))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(And, st.lists(inner, max_size=3)),
            st.builds(Or, st.lists(inner, max_size=3)),
            st.builds(Not, inner),
        ),
        max_leaves=6,
    )


@frozen
class Step:
    """Something that is done to all tables."""

    what: str
    rows: Sequence[dict[str, Any]]
    where: Filter
    order: Sequence[Order]
    limit: int

    async def run(self, tables: Tables) -> object:
        """Do it, and say what came of it."""
        try:
            return await self._run(tables)
        except DomainError as refused:
            return type(refused), refused.code

    async def _run(self, tables: Tables) -> object:
        match self.what:
            case "insert":
                return await tables.insert(THINGS, self.rows)
            case "upsert":
                return await tables.upsert(THINGS, self.rows)
            case "update":
                values = {name: self.rows[0][name] for name in ("a_text", "a_float", "a_date")}
                return await tables.update(THINGS, values, where=self.where)
            case "delete":
                return await tables.delete(THINGS, where=self.where)
        return await every_row(tables, THINGS, where=self.where, order=self.order, limit=self.limit)


ORDERS = st.lists(
    st.builds(Order, st.sampled_from([*THINGS.columns]), st.booleans(), st.booleans()),
    max_size=3,
    unique_by=lambda order: order.column,
)
WHAT = ["insert", "upsert", "update", "delete", "select", "select", "select"]
STEPS = st.builds(
    Step,
    st.sampled_from(WHAT),
    st.lists(ROWS, min_size=1, max_size=8),
    _conditions(),
    ORDERS,
    st.integers(1, 7),
)


@frozen
class Three:
    """Tables of each kind, in one loop."""

    runner: "asyncio.Runner"
    tables: Sequence[Tables]

    async def emptied(self) -> None:
        for tables in self.tables:
            await tables.delete(THINGS, where=Everything())


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    """Open tables of all kinds."""
    path: Path = tmp_path_factory.mktemp("alike") / "host.db"
    with closing(sqlite3.connect(path)) as connection:
        for statement in for_sqlite([THINGS]):
            connection.execute(statement)
    with empty_database() as url, asyncio.Runner() as runner:
        runner.run(run_sql(url, *for_postgres([THINGS])))
        stack = AsyncExitStack()

        async def opened() -> Sequence[Tables]:
            sqlite = await stack.enter_async_context(SqliteTables(path))
            postgres = await stack.enter_async_context(PostgresTables.from_url(url))
            return MemoryTables([THINGS]), sqlite, postgres

        try:
            yield Three(runner, runner.run(opened()))
        finally:
            runner.run(stack.aclose())


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(rows=st.lists(ROWS, max_size=12), steps=st.lists(STEPS, min_size=1, max_size=6))
def test_whatever_is_done_they_answer_the_same(
    three: Three, rows: Sequence[dict[str, Any]], steps: Sequence[Step]
) -> None:
    unlike = {(row["a"], row["b"]): row | {"a_integer": n} for n, row in enumerate(rows)}

    async def run() -> None:
        await three.emptied()
        if unlike:
            for tables in three.tables:
                await tables.insert(THINGS, unlike.values())
        for step in steps:
            memory, sqlite, postgres = [await step.run(tables) for tables in three.tables]
            assert memory == sqlite
            assert memory == postgres
        memory, sqlite, postgres = [await every_row(tables, THINGS) for tables in three.tables]
        assert memory == sqlite == postgres

    three.runner.run(run())
