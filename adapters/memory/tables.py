"""A host's tables in the memory of the process."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from tollkeeper.adapters.memory.table_rows import MemoryTable
from tollkeeper.domain.errors import (
    ConfigurationError,
    NotFound,
    Rejected,
    TollkeeperError,
    Unsupported,
)
from tollkeeper.domain.filters import Filter
from tollkeeper.domain.queries import MOST_ROWS, Order, Page, prepared
from tollkeeper.domain.row_changes import (
    checked_arguments,
    checked_changes,
    checked_insert,
    checked_upsert,
    checked_where,
)
from tollkeeper.domain.table_values import checked_value, read_value
from tollkeeper.domain.tables import Function, Row, Table

HostFunction = Callable[..., Iterable[Row]]


class MemoryTables:
    """Keeps rows until the process ends, and enforces what their declarations say.

    One process's own: it may be used from several event loops and threads.

    Args:
        tables: the tables that there are. Left out, each table is there, and empty, as soon as it
            is named.
        functions: what :meth:`call` can call, by name: each is called with the arguments by
            name, and returns rows. What it raises is its own error, unless it is one of ours.
    """

    def __init__(
        self,
        tables: Iterable[Table] | None = None,
        *,
        functions: Mapping[str, HostFunction] | None = None,
    ) -> None:
        self._open = tables is None
        self._tables = {table.name: MemoryTable(table) for table in tables or ()}
        self._functions = dict(functions or {})
        self._lock = threading.RLock()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make tables of its own from ``memory://``.

        Raises:
            ConfigurationError: *url* says anything more.
        """
        if url != "memory://":
            raise ConfigurationError("tables: memory takes no path and no options; write memory://")
        return cls()

    async def select(
        self,
        table: Table,
        *,
        where: Filter | None = None,
        order: Sequence[Order] = (),
        columns: Sequence[str] | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page:
        """Return a page of rows."""
        query = prepared(table, where=where, order=order, columns=columns, limit=limit, after=after)
        with self._lock:
            rows = self._rows_of(table).sought(query)
        return query.page([self._given(table, row) for row in rows])

    async def insert(self, table: Table, rows: Iterable[Row]) -> tuple[Row, ...]:
        """Add *rows*, all or none."""
        new = checked_insert(table, rows)
        with self._lock:
            kept = self._rows_of(table).write(new, self._tables)
        return tuple(self._given(table, row) for row in kept)

    async def upsert(
        self, table: Table, rows: Iterable[Row], *, on: Sequence[str] | None = None
    ) -> tuple[Row, ...]:
        """Add *rows*, or take their values."""
        new = checked_upsert(table, rows, on)
        with self._lock:
            kept = self._rows_of(table).write(new, self._tables)
        return tuple(self._given(table, row) for row in kept)

    async def update(self, table: Table, values: Row, *, where: Filter) -> int:
        """Set *values* in the rows that are meant."""
        changes, meant = checked_changes(table, values), checked_where(table, where)
        with self._lock:
            return self._rows_of(table).update(changes, meant, self._tables)

    async def delete(self, table: Table, *, where: Filter) -> int:
        """Delete the rows that are meant."""
        meant = checked_where(table, where)
        with self._lock:
            return self._rows_of(table).delete(meant, self._tables)

    async def call(
        self, function: Function, arguments: Mapping[str, object] | None = None
    ) -> tuple[Row, ...]:
        """Call a function that was given with the tables."""
        given = checked_arguments(function, arguments)
        called = self._functions.get(function.name)
        if not self._functions:
            raise Unsupported(
                "tables in memory have no functions but those that they are made with",
                code="functions_unsupported",
            )
        if called is None:
            raise NotFound("there is no such function", code="function_not_found")
        rows = _run(called, given)
        if len(rows) > MOST_ROWS:
            raise Rejected(
                f"a function returns at most {MOST_ROWS} rows, and what it did stands",
                port="tables",
                adapter="memory",
                ambiguous=True,
                code="too_many_rows",
            )
        return tuple(
            {
                name: read_value(kind, row[name], adapter="memory", field=name)
                for name, kind in function.columns.items()
            }
            for row in rows
            if function.returns is not None
        )

    async def health(self) -> str:
        """Say how much there is."""
        with self._lock:
            return f"{len(self._tables)} tables in memory"

    def _rows_of(self, table: Table) -> MemoryTable:
        kept = self._tables.get(table.name)
        if kept is None:
            if not self._open:
                raise NotFound("there is no such table", code="table_not_found")
            kept = self._tables[table.name] = MemoryTable(table)
        kept.checked_against(table)
        return kept

    def _given(self, table: Table, row: Row) -> dict[str, Any]:
        # JSON is copied, so that nobody changes what is kept by changing what they got.
        return {
            name: checked_value(table.columns[name].kind, value, field=name)
            for name, value in row.items()
            if name in table.columns
        }


def _run(function: HostFunction, arguments: Mapping[str, object]) -> list[Row]:
    try:
        return list(function(**arguments))
    except TollkeeperError:
        raise
    except Exception as error:
        raise Rejected(
            "the function raised an error of its own",
            port="tables",
            adapter="memory",
            code="function_raised",
            provider_code=type(error).__name__,
        ) from None
