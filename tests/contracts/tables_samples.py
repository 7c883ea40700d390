"""The tables and functions that the contract of tables is played on, and ways to read them."""

from collections.abc import Sequence
from typing import Any

from tollkeeper.domain.filters import Filter, col
from tollkeeper.domain.queries import Order
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Column, Function, Reference, Row, Table
from tollkeeper.ports.tables import Tables

OWNERS = Table("contract_owners", {"name": Kind.TEXT, "plan": Kind.TEXT}, key="name")
NOTES = Table(
    "contract_notes",
    {
        "id": Column(Kind.INTEGER, generated=True),
        "title": Kind.TEXT,
        "rank": Column(Kind.INTEGER, nullable=True),
        "slug": Column(Kind.TEXT, nullable=True),
        "owner": Column(Kind.TEXT, nullable=True),
        "version": Column(Kind.INTEGER, default=1),
    },
    key="id",
    unique=["slug"],
    references={"owner": Reference("contract_owners", "name")},
    checks=[col("version") >= 1],
)
"""One that the database numbers, with a default, a check and a reference."""
VALUES = Table(
    "contract_values",
    {"id": Kind.INTEGER, **{f"a_{kind}": Column(kind, nullable=True) for kind in Kind}},
    key="id",
)
"""One with a column of each kind."""
WORDS = Table(
    "contract_Words",
    {
        "order": Kind.TEXT,
        "Select": Kind.INTEGER,
        "not": Column(Kind.TEXT, nullable=True),
        "limit": Column(Kind.INTEGER, nullable=True),
    },
    key=("order", "Select"),
)
"""One whose names are words of SQL, and whose key has two columns."""
TABLES = (OWNERS, NOTES, VALUES, WORDS)

ADD = Function("contract_add", {"a": Kind.INTEGER, "b": Kind.INTEGER}, Kind.INTEGER)
"""Returns the sum of the two."""
LISTED = Function(
    "contract_listed",
    {"many": Kind.INTEGER, "said": Kind.TEXT},
    {"number": Kind.INTEGER, "price": Kind.DECIMAL, "heard": Kind.TEXT, "nothing": Kind.TEXT},
)
"""Returns *many* rows: their number from 1, that number and a tenth, what was said, and null."""
FAILS = Function("contract_fails", {}, Kind.INTEGER)
"""Raises an error of its own."""
SILENT = Function("contract_silent", {})
"""Returns nothing."""


def a_note(title: str = "a note", **values: Any) -> dict[str, Any]:
    """Make a row of NOTES."""
    return {"title": title, **values}


async def found(
    tables: Tables, table: Table, where: Filter | None = None, *, by: str | None = None
) -> set[Any]:
    """Return the values of one column (the key's, if left out) of all rows that are meant."""
    name = by or table.key[0]
    return {row[name] for row in await every_row(tables, table, where=where)}


async def every_row(
    tables: Tables,
    table: Table,
    *,
    where: Filter | None = None,
    order: Sequence[Order] = (),
    limit: int = 1000,
) -> list[Row]:
    """Return all rows, page by page."""
    rows: list[Row] = []
    after = None
    while True:
        page = await tables.select(table, where=where, order=order, limit=limit, after=after)
        assert len(page.rows) <= limit
        rows += page.rows
        after = page.cursor
        if after is None:
            return rows


def without(row: Row, *names: str) -> dict[str, Any]:
    """Return *row* without some of its columns."""
    return {name: value for name, value in row.items() if name not in names}
