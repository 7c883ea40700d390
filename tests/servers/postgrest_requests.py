"""One request of PostgREST's: which statement it is, and what is answered."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import asyncpg
from aiohttp import web

from tests.servers import postgrest_sql as sql
from tests.servers.postgrest_errors import Refusal, malformed, no_schema, not_single, out_of_range
from tests.servers.postgrest_query import Pairs
from tests.servers.postgrest_sql import Function, Page

if TYPE_CHECKING:
    from tests.servers.postgrest import PostgrestServer

_SINGLE = "application/vnd.pgrst.object+json"
_PATIENCE = 10.0
"""How long a request waits for a connection, in seconds."""
_READS = ("GET", "HEAD")


async def answer(
    server: "PostgrestServer",
    pool: "asyncpg.Pool[Any]",
    request: web.Request,
    claims: Mapping[str, Any],
) -> web.Response:
    """Answer *request*, of whom *claims* tell.

    Raises:
        Refusal, asyncpg.PostgresError: it is refused.
        TimeoutError: no connection became free.
        OSError, asyncpg.InterfaceError: the database cannot be reached.
    """
    body = (await request.read()).decode("utf-8", "surrogateescape")
    if "\0" in body or "\0" in request.query_string:
        raise Refusal(400, "22021", 'invalid byte sequence for encoding "UTF8": 0x00')
    async with pool.acquire(timeout=_PATIENCE) as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            found = await _run(server, connection, request, claims, body)
        except BaseException:
            if not connection.is_closed():
                await transaction.rollback()
            raise
        await transaction.commit()
        return found


async def _run(
    server: "PostgrestServer",
    connection: Any,
    request: web.Request,
    claims: Mapping[str, Any],
    body: str,
) -> web.Response:
    pairs: Pairs = list(request.query.items())
    prefer = _preferences(request)
    counted = prefer.get("count") == "exact"
    schema = _schema_of(server, request)
    page = _page_of(server, request, pairs)
    path = request.match_info["path"]
    function = None
    if path.startswith("rpc/"):
        if request.method == "POST":
            given = _arguments(body)
            function = await sql.function_of(connection, schema, path[4:], given)
        else:
            function, body, pairs = await _called_by_query(connection, schema, path[4:], pairs)
        statement = sql.call(function, pairs, body, page, count=counted)
    else:
        await sql.check_table(connection, schema, path)
        statement = _on_table(request.method, schema, path, pairs, body, prefer, page, counted)
        statement = await sql.with_primary_key(connection, schema, path, statement)
    reads = request.method in _READS or (function is not None and not function.is_volatile)
    if reads:
        await connection.execute("SET TRANSACTION READ ONLY")
    await connection.execute(
        "SELECT set_config('search_path', $1, true), set_config('request.jwt.claims', $2, true), "
        "set_config('request.method', $3, true)",
        *(f'"{schema}", "public"', json.dumps(dict(claims)), request.method),
    )
    await connection.execute("SELECT set_config('role', $1, true)", str(claims["role"]))
    row = await connection.fetchrow(statement)
    return _answer(request, function, row, prefer, page, counted)


def _on_table(
    method: str,
    schema: str,
    table: str,
    pairs: Pairs,
    body: str,
    prefer: Mapping[str, str],
    page: Page,
    counted: bool,
) -> str:
    match method:
        case "GET" | "HEAD":
            return sql.read(schema, table, pairs, page, count=counted)
        case "POST":
            return sql.insert(schema, table, pairs, body, prefer)
        case "PATCH":
            return sql.update(schema, table, pairs, body)
        case "DELETE":
            return sql.delete(schema, table, pairs)
    raise Refusal(405, "PGRST117", f"Unsupported HTTP method: {method}")


def _answer(
    request: web.Request,
    function: Function | None,
    row: "asyncpg.Record",
    prefer: Mapping[str, str],
    page: Page,
    counted: bool,
) -> web.Response:
    rows, total = row["rows"], row["total"] if counted else None
    reads = request.method in _READS or function is not None
    headers = {}
    if reads and (function is None or function.is_set):
        if total is not None and page.offset and page.offset >= total:
            raise out_of_range(page.offset, total)
        span = f"{page.offset}-{page.offset + rows - 1}" if rows else "*"
        headers["Content-Range"] = f"{span}/{'*' if total is None else total}"
    elif not reads:
        headers["Content-Range"] = f"*/{'*' if total is None else total}"
    elif counted:
        headers["Content-Range"] = f"0-{rows - 1}/{rows}" if rows else "*/0"
    single = request.headers.get("Accept", "").startswith(_SINGLE)
    if function is not None and function.is_void:
        return web.Response(status=204)
    wanted = reads or prefer.get("return") == "representation"
    if single and wanted and (function is None or function.is_set) and rows != 1:
        raise not_single(rows)
    status = _status(request.method, function, wanted, partial=total is not None and rows < total)
    if not wanted or request.method == "HEAD":
        return web.Response(status=status, headers=headers)
    text = row["body"]
    if single and (function is None or function.is_set):
        text = json.dumps(json.loads(text)[0])
    kind = _SINGLE if single else "application/json"
    return web.Response(text=text, status=status, headers=headers, content_type=kind)


def _status(method: str, function: Function | None, wanted: bool, *, partial: bool) -> int:
    if function is not None or method in _READS:
        return 206 if partial else 200
    if method == "POST":
        return 201
    return 200 if wanted else 204


def _preferences(request: web.Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in request.headers.getall("Prefer", []):
        for part in line.split(","):
            key, _, value = part.strip().partition("=")
            found.setdefault(key, value)
    return found


def _schema_of(server: "PostgrestServer", request: web.Request) -> str:
    profile = "Accept-Profile" if request.method in _READS else "Content-Profile"
    asked = request.headers.get(profile, server.schemas[0])
    if asked not in server.schemas:
        raise no_schema(server.schemas, asked)
    return asked


def _page_of(server: "PostgrestServer", request: web.Request, pairs: Pairs) -> Page:
    query, first, last = dict(pairs), 0, None
    told = request.headers.get("Range", "").removeprefix("items=").split("-")
    if request.method in _READS and len(told) == 2 and told[0].isdecimal():
        first = int(told[0])
        last = int(told[1]) - first + 1 if told[1].isdecimal() else None
    try:
        limit = int(query["limit"]) if "limit" in query else last
        offset = int(query.get("offset", first))
    except ValueError:
        raise malformed("limit or offset") from None
    if offset < 0 or (limit is not None and limit < 0):
        raise Refusal(416, "PGRST103", "Requested range not satisfiable", "Limit should be >= 0.")
    most = server.max_rows
    return Page(most if limit is None else min(limit, most), offset)


def _arguments(body: str) -> list[str]:
    try:
        said = json.loads(body or "{}")
    except ValueError:
        raise Refusal(400, "PGRST102", "Empty or invalid json") from None
    if not isinstance(said, dict):
        raise Refusal(400, "PGRST102", "Empty or invalid json")
    return list(said)


async def _called_by_query(
    connection: Any, schema: str, called: str, pairs: Pairs
) -> tuple[Function, str, Pairs]:
    """Read a call whose arguments stand in the query string: all that bear an argument's name."""
    known = await connection.fetchval(
        "SELECT array_agg(one) FROM pg_proc AS p, unnest(p.proargnames[:p.pronargs]) AS one "
        "WHERE p.pronamespace = to_regnamespace(quote_ident($1)) AND p.proname = $2",
        *(schema, called),
    )
    given = {key: value for key, value in pairs if key in (known or ())}
    function = await sql.function_of(connection, schema, called, list(given))
    return function, json.dumps(given), [pair for pair in pairs if pair[0] not in given]
