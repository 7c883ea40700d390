"""A host's tables in a Supabase project, as its service or as one of its users."""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from attrs import evolve
from postgrest import AsyncPostgrestClient
from postgrest.types import CountMethod, ReturnMethod

from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.table_rows import doubtful, read_rows
from tollkeeper.adapters.supabase.answers import Answer
from tollkeeper.adapters.supabase.asking import Build, Effect
from tollkeeper.adapters.supabase.connections import SupabaseCaller, SupabaseConnections
from tollkeeper.adapters.supabase.failures import ADAPTER, corrupt, cut_short
from tollkeeper.adapters.supabase.schema import refused_key
from tollkeeper.adapters.supabase.tables_calls import arguments_of, columns_of_call, rows_of_call
from tollkeeper.adapters.supabase.tables_failures import PORT, of_tables
from tollkeeper.adapters.supabase.tables_query import columns_of, in_parts, of_query, of_where
from tollkeeper.adapters.supabase.tables_values import in_json, read
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    CredentialsRefused,
    NotFound,
    PortError,
    TollkeeperError,
)
from tollkeeper.domain.filters import Filter
from tollkeeper.domain.queries import Order, Page, Query, prepared, row_order
from tollkeeper.domain.row_changes import (
    NewRows,
    checked_arguments,
    checked_changes,
    checked_insert,
    checked_upsert,
    checked_where,
)
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Function, Row, Table, split_name

T = TypeVar("T")
_FEWEST = 10
"""How many rows any project returns, whatever its setting "Max rows" is."""
_COUNTED, _WHOLE, _NOTHING = CountMethod.exact, ReturnMethod.representation, ReturnMethod.minimal


class SupabaseUserTables:
    """Reads and writes the host's tables as whoever *caller* asks for.

    A table that is declared without a schema is in ``public``; another schema must be exposed.
    """

    def __init__(self, caller: SupabaseCaller) -> None:
        self._caller = caller
        self._most = _FEWEST
        """The most rows that one answer held: the server does not cut shorter ones."""

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
        return query.page(await self._rows(query))

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
        body = _body(table, changes)
        return await self._count(
            table, lambda at: at.update(body, count=_COUNTED, returning=_NOTHING), meant
        )

    async def delete(self, table: Table, *, where: Filter) -> int:
        """Delete the rows that are meant."""
        meant = checked_where(table, where)
        return await self._count(
            table, lambda at: at.delete(count=_COUNTED, returning=_NOTHING), meant
        )

    async def call(
        self, function: Function, arguments: Mapping[str, object] | None = None
    ) -> tuple[Row, ...]:
        """Call a function that the host made."""
        body = arguments_of(function, checked_arguments(function, arguments))
        columns = columns_of_call(function)
        schema, name = split_name(function.name, field="function")

        def build(client: AsyncPostgrestClient) -> Any:
            request = client.rpc(name, cast(dict[str, Any], body), count=_COUNTED)
            return _with(request, {"select": ",".join(columns)} if columns else {})

        answer = await self._ask(schema, build, Effect.CHANGES, calling=True)
        return doubtful(lambda: rows_of_call(function, answer))

    async def _rows(self, query: Query) -> list[Row]:
        """Read the rows that *query* seeks, however few the server returns at once."""
        rows: list[Row] = []
        while True:
            parts = in_parts(query)
            if len(parts) > 1:
                return rows + await self._merged(query, parts)
            found = await self._answered(query)
            rows += found
            may_be_cut = self._most <= len(found) < query.sought
            self._most = max(self._most, len(found))
            if not may_be_cut:
                return rows
            query = evolve(query.after(found[-1]), limit=query.limit - len(found))

    async def _merged(self, query: Query, parts: Sequence[Query]) -> list[Row]:
        found: dict[tuple[Any, ...], Row] = {}
        for part in parts:
            rows = await self._rows(part)
            if rows != sorted(rows, key=row_order(query.order)):
                raise _other_order()
            # One that was changed meanwhile may be in two parts.
            found |= {tuple(row[name] for name in query.table.key): row for row in rows}
        return sorted(found.values(), key=row_order(query.order))[: query.sought]

    async def _answered(self, query: Query) -> Sequence[Row]:
        table, names, parameters = query.table, query.fetched, of_query(query)
        columns = columns_of(table, names)
        answer = await self._of_table(table, lambda at: _with(at.select(*columns), parameters))
        values = [[row.get(name) for name in names] for row in answer.rows]
        return read_rows(table, names, values, read=read, adapter=ADAPTER)

    async def _write(self, new: NewRows) -> tuple[Row, ...]:
        table, names = new.table, tuple(new.table.columns)
        rows = [_body(table, dict(zip(new.columns, row, strict=True))) for row in new.rows]
        wanted: Any = {"count": _COUNTED, "returning": _WHOLE}

        def build(at: Any) -> Any:
            if new.on:
                request = at.upsert(rows, on_conflict=",".join(new.on), **wanted)
            else:
                request = at.insert(rows, **wanted)
            # Sorted: the client lists the names of a set, in whatever order that has.
            listed = ",".join(f'"{name}"' for name in new.columns)
            return _with(request, {"columns": listed, "select": ",".join(columns_of(table, names))})

        answer = await self._of_table(table, build, changes=True)
        if len(answer.rows) < len(rows):
            raise cut_short(PORT)
        kept = [[row.get(name) for name in names] for row in answer.rows]
        return doubtful(lambda: read_rows(table, names, kept, read=read, adapter=ADAPTER))

    async def _count(self, table: Table, change: Any, where: Filter) -> int:
        parameters = of_where(table, where)
        answer = await self._of_table(table, lambda at: _with(change(at), parameters), changes=True)
        if answer.count is None:
            raise corrupt(PORT)
        return answer.count

    async def _of_table(self, table: Table, build: Any, *, changes: bool = False) -> Answer:
        schema, name = split_name(table.name, field="table")
        effect = Effect.CHANGES if changes else Effect.READS
        return await self._ask(schema, lambda client: build(client.from_(name)), effect)

    async def _ask(
        self, schema: str | None, build: Build, effect: Effect, *, calling: bool = False
    ) -> Answer:
        asked = self._caller.ask(build, effect=effect, schema=schema or "public")
        # Whoever is cancelled hears of it when a change is settled: it never comes afterwards.
        work = asked if effect is Effect.READS else settled(asked)
        return await _meant(work, calling=calling)


class SupabaseTables(SupabaseUserTables):
    """The same as the project's service, which row-level security does not stop.

    Args:
        connections: the connections, made with ``port="tables"``; entering the tables opens them.
    """

    def __init__(self, connections: SupabaseConnections) -> None:
        super().__init__(connections)
        self._connections = connections

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make tables of ``supabase+https://service_role:<key>@<project>.supabase.co``.

        Raises:
            ConfigurationError: *url* is malformed, or its key is not one of the service.
        """
        return cls(SupabaseConnections.from_url(url, port=PORT))

    def as_user(self, token: Secret | str) -> SupabaseUserTables:
        """Return the tables as a user of the project may use them, by the *token* of a sign-in.

        The project's row-level security decides what is there for them; what they may not do is
        PermissionDenied. It shares the connections, and nothing else, with the service.
        """
        return SupabaseUserTables(self._connections.as_user(token))

    async def __aenter__(self) -> Self:
        await self._connections.__aenter__()
        try:
            await self._check_key()
        except BaseException:
            await self._connections.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._connections.__aexit__(exc_type, exc, traceback)

    async def _check_key(self) -> None:
        """Ask once whether the project knows the key; one that is away is asked later.

        Raises:
            ConfigurationError: it does not (code ``key_refused``).
        """
        try:
            await self.health()
        except CredentialsRefused as error:
            # With a code of the database's own the key is known, and what it may do is not all.
            if not error.provider_code or error.provider_code.startswith("PGRST30"):
                raise refused_key(port=PORT) from error.__cause__
        except (PortError, ConfigurationError):
            # The tables that are asked for later may be in another schema than this one.
            return

    async def health(self) -> str:
        """Reach out once."""
        # That there is no such table is told by an API that works, to a key that it takes.
        with suppress(NotFound):
            await self.select(Table("tollkeeper_health", {"id": Kind.INTEGER}, key="id"), limit=1)
        address = self._connections.address
        return f"Supabase; {self._connections.in_use} of {address.pool_size} connections in use"


def _body(table: Table, values: Row) -> dict[str, Any]:
    return {name: in_json(table.columns[name].kind, value) for name, value in values.items()}


def _with(request: Any, parameters: Mapping[str, str]) -> Any:
    request.request.params = request.request.params.merge(dict(parameters))
    return request


def _other_order() -> CorruptResponse:
    return CorruptResponse(
        "the project sorts texts by a language, so parts of a long question cannot be put "
        'together; give the column COLLATE "C", or ask for less at once',
        port=PORT,
        adapter=ADAPTER,
        code="order_mismatch",
    )


async def _meant(work: Awaitable[T], *, calling: bool) -> T:
    """Return what *work* does; what goes wrong is told as it concerns tables."""
    try:
        return await work
    except TollkeeperError as error:
        found = of_tables(error, calling=calling)
    raise found
