"""A host's tables in a PostgreSQL database."""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.tables_failures import of_tables
from tollkeeper.adapters.postgres.tables_values import DIALECT, passed, read, written
from tollkeeper.adapters.sql import table_sql
from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.table_rows import doubtful, read_rows
from tollkeeper.domain.errors import Rejected, TollkeeperError
from tollkeeper.domain.filters import Filter
from tollkeeper.domain.queries import MOST_ROWS, Order, Page, prepared
from tollkeeper.domain.row_changes import (
    NewRows,
    checked_arguments,
    checked_changes,
    checked_insert,
    checked_upsert,
    checked_where,
)
from tollkeeper.domain.tables import Function, Row, Table

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")


class PostgresTables:
    """Reads and writes the host's own tables, as the user of the URL may.

    A table that is declared without a schema is found as that user finds it (``search_path``).
    Nothing of Tollkeeper's need be in the database. Opened in an event loop, and used there.

    Args:
        connections: the pool; entering the tables opens it.
    """

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make tables of ``postgresql://user:password@host:5432/database?option=value&…``.

        Raises:
            ConfigurationError: *url* is malformed.
        """
        try:
            return cls(PostgresConnections.from_url(url))
        except TollkeeperError as error:
            found = of_tables(error)
        raise found

    async def __aenter__(self) -> Self:
        await _meant(self._connections.__aenter__())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await _meant(self._connections.__aexit__(exc_type, exc, traceback))

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
        found = await _meant(
            self._connections.fetch(statement.sql, *statement.values, idempotent=True)
        )
        return query.page(read_rows(table, query.fetched, found, read=read, adapter="postgres"))

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
        return await self._count(table_sql.update(DIALECT, table, changes, meant))

    async def delete(self, table: Table, *, where: Filter) -> int:
        """Delete the rows that are meant."""
        meant = checked_where(table, where)
        return await self._count(table_sql.delete(DIALECT, table, meant))

    async def call(
        self, function: Function, arguments: Mapping[str, object] | None = None
    ) -> tuple[Row, ...]:
        """Call a function that the host made."""
        given = checked_arguments(function, arguments)
        named = (
            f"{DIALECT.quoted(name)} => {passed(number, function.arguments[name])}"
            for number, name in enumerate(given, start=1)
        )
        called = f"{DIALECT.name_of(function)}({', '.join(named)})"
        values = [written(function.arguments[name], value) for name, value in given.items()]
        names = tuple(function.columns)
        if function.returns is None:
            sql = f"SELECT count(*) FROM {called}"
        else:
            alias = "t(result)" if isinstance(function.returns, str) else "t"
            sql = f"SELECT {DIALECT.listed(names)} FROM {called} AS {alias} LIMIT {MOST_ROWS + 1}"
        found = await _meant(settled(self._connections.fetch(sql, *values)), calling=True)
        if function.returns is None:
            return ()
        if len(found) > MOST_ROWS:
            raise Rejected(
                f"a function returns at most {MOST_ROWS} rows, and what it did stands",
                port="tables",
                adapter="postgres",
                ambiguous=True,
                code="too_many_rows",
            )
        kinds = list(function.columns.items())

        def rows() -> tuple[Row, ...]:
            return tuple(
                {n: read(kind, value, field=n) for (n, kind), value in zip(kinds, row, strict=True)}
                for row in found
            )

        return doubtful(rows)

    async def health(self) -> str:
        """Reach out once."""
        connections = self._connections
        sql = "SELECT current_setting('server_version')"
        [[version]] = await _meant(connections.fetch(sql, idempotent=True))
        return (
            f"PostgreSQL {version}; {connections.size} connections, {connections.idle} idle, "
            f"at most {connections.address.pool_size}"
        )

    async def _write(self, new: NewRows) -> tuple[Row, ...]:
        statement, names = table_sql.write(DIALECT, new), tuple(new.table.columns)
        kept = await self._changed(statement.sql, statement.values)
        return doubtful(lambda: read_rows(new.table, names, kept, read=read, adapter="postgres"))

    async def _count(self, statement: table_sql.Statement) -> int:
        sql = f"WITH changed AS ({statement.sql} RETURNING 1) SELECT count(*) FROM changed"
        [[count]] = await self._changed(sql, statement.values)
        return int(count)

    async def _changed(self, sql: str, values: Sequence[object]) -> "list[asyncpg.Record]":
        # Whoever is cancelled hears of it when the change is settled: it never comes afterwards.
        return await _meant(settled(self._connections.fetch(sql, *values)))


async def _meant(work: Awaitable[T], *, calling: bool = False) -> T:
    """Return what *work* does; what goes wrong is told as it concerns tables."""
    try:
        return await work
    except TollkeeperError as error:
        found = of_tables(error, calling=calling)
    raise found
