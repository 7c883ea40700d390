"""A host's tables in a SQLite file of its own."""

import os
import sqlite3
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import unquote, urlsplit

from tollkeeper.adapters.sql import table_sql
from tollkeeper.adapters.sql.table_rows import read_rows
from tollkeeper.adapters.sqlite.table_failures import of_tables
from tollkeeper.adapters.sqlite.table_file import TableFile, bounded
from tollkeeper.adapters.sqlite.table_values import DIALECT, read
from tollkeeper.domain.errors import ConfigurationError, TollkeeperError, Unsupported
from tollkeeper.domain.filters import Filter
from tollkeeper.domain.queries import Order, Page, prepared
from tollkeeper.domain.row_changes import (
    NewRows,
    checked_arguments,
    checked_changes,
    checked_insert,
    checked_upsert,
    checked_where,
)
from tollkeeper.domain.tables import Function, Row, Table

T = TypeVar("T")
_REMEDY = "write sqlite:///name.db (beside the process) or sqlite:////folder/name.db"


class SqliteTables:
    """Reads and writes the tables of a file that the host made, and that has nothing of ours.

    How values stand in it is told in :mod:`tollkeeper.adapters.sqlite.table_values`. Any number of
    event loops may use it, and any number of processes the file.

    Args:
        path: the file, which must be there. A relative one begins at the working directory.
        lock_timeout: how long a change waits while other processes write.
        timeout: how long a statement may work; one that takes longer is given up, and undone.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        lock_timeout: timedelta = timedelta(seconds=5),
        timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        self._timeout = timeout.total_seconds()
        self._file = TableFile(Path(path), lock_timeout=lock_timeout.total_seconds())

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make tables of ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.

        Raises:
            ConfigurationError: *url* names no file.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ConfigurationError(f"tables: the URL is malformed; {_REMEDY}") from None
        name = unquote(parts.path)[1:]
        if parts.scheme != "sqlite" or parts.netloc or parts.query or parts.fragment:
            raise ConfigurationError(
                f"tables: a SQLite URL has three or four slashes and no options; {_REMEDY}"
            )
        if ":memory:" in name:
            raise ConfigurationError("tables: for tables in memory, write memory://")
        if not name.strip("/") or name.endswith("/") or "\0" in name:
            raise ConfigurationError(f"tables: the URL names no file; {_REMEDY}")
        return cls(name)

    async def __aenter__(self) -> Self:
        await _meant(self._file.open())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await _meant(self._file.close())

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
        statement = table_sql.select(DIALECT, query)

        def rows(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
            with bounded(connection, self._timeout):
                return connection.execute(statement.sql, statement.values).fetchall()

        found = await _meant(self._file.scan(rows))
        return query.page(read_rows(table, query.fetched, found, read=read, adapter="sqlite"))

    async def insert(self, table: Table, rows: Iterable[Row]) -> tuple[Row, ...]:
        """Add *rows*, all or none."""
        return await self._write(checked_insert(table, rows))

    async def upsert(
        self, table: Table, rows: Iterable[Row], *, on: Sequence[str] | None = None
    ) -> tuple[Row, ...]:
        """Add *rows*, or take their values."""
        return await self._write(checked_upsert(table, rows, on))

    async def update(self, table: Table, values: Row, *, where: Filter) -> int:
        """Set *values* in the rows that are meant."""
        changes, meant = checked_changes(table, values), checked_where(table, where)
        return await self._change(table_sql.update(DIALECT, table, changes, meant))

    async def delete(self, table: Table, *, where: Filter) -> int:
        """Delete the rows that are meant."""
        meant = checked_where(table, where)
        return await self._change(table_sql.delete(DIALECT, table, meant))

    async def call(
        self, function: Function, arguments: Mapping[str, object] | None = None
    ) -> tuple[Row, ...]:
        """Refuse: SQLite has no functions that change or read tables."""
        checked_arguments(function, arguments)
        raise Unsupported(
            "SQLite has no functions of its own; use PostgreSQL or Supabase, or write it in Python",
            code="functions_unsupported",
        )

    async def health(self) -> str:
        """Look into the file once."""

        def version(connection: sqlite3.Connection) -> str:
            [(tables,)] = connection.execute(
                "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
            ).fetchall()
            return f"SQLite {sqlite3.sqlite_version}, {tables} tables"

        return await _meant(self._file.scan(version))

    async def _write(self, new: NewRows) -> tuple[Row, ...]:
        statement = table_sql.write(DIALECT, new)
        names = tuple(new.table.columns)

        def change(connection: sqlite3.Connection) -> tuple[Row, ...]:
            with bounded(connection, self._timeout):
                kept = connection.execute(statement.sql, statement.values).fetchall()
            # Read here: where it is not what was declared, nothing of it is kept.
            return read_rows(new.table, names, kept, read=read, adapter="sqlite")

        return await _meant(self._file.change(change))

    async def _change(self, statement: table_sql.Statement) -> int:
        def change(connection: sqlite3.Connection) -> int:
            with bounded(connection, self._timeout):
                return connection.execute(statement.sql, statement.values).rowcount

        return await _meant(self._file.change(change))


async def _meant(work: Awaitable[T]) -> T:
    """Return what *work* does; what goes wrong is told as it concerns tables."""
    try:
        return await work
    except TollkeeperError as error:
        found = of_tables(error)
    raise found
