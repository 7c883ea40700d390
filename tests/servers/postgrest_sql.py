"""What PostgREST runs for a request: one statement, which answers with JSON and counts.

Every statement has the columns ``body`` (JSON text), ``rows`` (how many are in it) and ``total``
(how many there are without the page's limit; NULL where nobody asked).
"""

import json
from collections.abc import Mapping
from typing import Any

import asyncpg
from attrs import frozen

from tests.servers.postgrest_errors import Refusal, no_function, no_table
from tests.servers.postgrest_query import Pairs, conditions, literal, name, ordered, selected

_ALL = "coalesce(json_agg(_rows), '[]')::text AS body, count(*) AS rows"


@frozen
class Page:
    """Which of the rows are wanted: at most *limit*, after the first *offset*."""

    limit: int | None = None
    offset: int = 0

    @property
    def sql(self) -> str:
        """What ends a SELECT."""
        limit = "" if self.limit is None else f" LIMIT {self.limit}"
        return f"{limit} OFFSET {self.offset}" if self.offset else limit


@frozen
class Function:
    """A function of the database, by the names and types of its arguments."""

    schema: str
    name: str
    arguments: Mapping[str, str]
    needed: frozenset[str]
    is_set: bool
    is_row: bool
    is_void: bool
    is_volatile: bool


def read(schema: str, table: str, pairs: Pairs, page: Page, *, count: bool) -> str:
    """Select rows of a table."""
    source = f"FROM {name(schema)}.{name(table)}{conditions(pairs)}"
    total = f"(SELECT count(*) {source})" if count else "NULL::bigint"
    return (
        f"SELECT {_ALL}, {total} AS total FROM "
        f"(SELECT {selected(pairs)} {source}{ordered(pairs, table)}{page.sql}) AS _rows"
    )


def insert(schema: str, table: str, pairs: Pairs, body: str, prefer: Mapping[str, str]) -> str:
    """Insert one object or an array of them; conflicts as *prefer* says."""
    where, query = f"{name(schema)}.{name(table)}", dict(pairs)
    objects = _objects(body)
    if query.get("columns"):
        columns = [part.strip().strip('"') for part in query["columns"].split(",")]
    else:
        columns = list(objects[0]) if objects else []
        if any(set(one) != set(columns) for one in objects):
            raise Refusal(400, "PGRST102", "All object keys must match")
    if not columns:
        rows = "DEFAULT VALUES" if objects else f"SELECT * FROM {where} WHERE false"
        return _returning(f"INSERT INTO {where} {rows}", pairs)
    listed = ", ".join(map(name, columns))
    whole = body if body.lstrip().startswith("[") else f"[{body}]"
    sql = (
        f"INSERT INTO {where} ({listed}) SELECT {listed} "
        f"FROM json_populate_recordset(NULL::{where}, {literal(whole)})"
    )
    resolution = prefer.get("resolution")
    if resolution:
        given = query.get("on_conflict", "")
        keys = [part.strip().strip('"') for part in given.split(",") if part.strip()]
        target = f"({', '.join(map(name, keys))})" if keys else f"({_PRIMARY})"
        changes = ", ".join(f"{name(one)} = EXCLUDED.{name(one)}" for one in columns)
        merged = f"DO UPDATE SET {changes}" if resolution == "merge-duplicates" else "DO NOTHING"
        sql += f" ON CONFLICT {target} {merged}"
    return _returning(sql, pairs)


_PRIMARY = "/* primary key */"


async def with_primary_key(
    connection: "asyncpg.Connection[Any]", schema: str, table: str, sql: str
) -> str:
    """Fill in the columns of the table's primary key, where *sql* wants them."""
    if _PRIMARY not in sql:
        return sql
    rows = await connection.fetch(
        "SELECT a.attname FROM pg_index AS i JOIN pg_attribute AS a "
        "ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) "
        "WHERE i.indisprimary AND i.indrelid = format('%I.%I', $1::text, $2::text)::regclass",
        *(schema, table),
    )
    return sql.replace(_PRIMARY, ", ".join(name(row["attname"]) for row in rows))


def update(schema: str, table: str, pairs: Pairs, body: str) -> str:
    """Update the rows that the conditions name."""
    where = f"{name(schema)}.{name(table)}"
    objects = _objects(body)
    columns = list(objects[0]) if objects else []
    if not columns:
        return f"SELECT {_ALL}, NULL::bigint AS total FROM (SELECT 1 WHERE false) AS _rows"
    listed = ", ".join(map(name, columns))
    values = ", ".join(f"_new.{name(one)}" for one in columns)
    # PostgREST names the columns of the table only; here they stand in a select of their keys.
    return _returning(
        f"UPDATE {where} SET ({listed}) = (SELECT {values} "
        f"FROM json_populate_record(NULL::{where}, {literal(body)}) AS _new)"
        f"{conditions(pairs)}",
        pairs,
    )


def delete(schema: str, table: str, pairs: Pairs) -> str:
    """Delete the rows that the conditions name."""
    return _returning(f"DELETE FROM {name(schema)}.{name(table)}{conditions(pairs)}", pairs)


def call(function: Function, pairs: Pairs, body: str, page: Page, *, count: bool) -> str:
    """Call a function with the arguments of a JSON object, and choose among its rows."""
    types = ", ".join(f"{name(one)} {kind}" for one, kind in function.arguments.items())
    given = [one for one in function.arguments if one in json.loads(body or "{}")]
    passed = ", ".join(f"{name(one)} := _arguments.{name(one)}" for one in given)
    which = f"{name(function.schema)}.{name(function.name)}({passed})"
    source = f"FROM json_to_record({literal(body)}) AS _arguments ({types}), " if given else "FROM "
    if not function.is_row:
        value = f"SELECT _answer.value {source}LATERAL {which} AS _answer (value)"
        if function.is_set:
            listed = "coalesce(json_agg(_rows.value), '[]')::text AS body, count(*) AS rows"
            return f"SELECT {listed}, NULL::bigint AS total FROM ({value}{page.sql}) AS _rows"
        if function.is_void:
            return f"SELECT NULL AS body, 0 AS rows, 0 AS total FROM ({value}) AS _rows"
        return (
            "SELECT coalesce(to_json(_rows.value), 'null')::text AS body, 1 AS rows, 1 AS total "
            f"FROM ({value}) AS _rows"
        )
    called = f"WITH _called AS MATERIALIZED (SELECT _answer.* {source}LATERAL {which} AS _answer) "
    where, order = conditions(pairs, but=function.arguments), ordered(pairs, "_called")
    total = f"(SELECT count(*) FROM _called{where})" if count else "NULL::bigint"
    agg = _ALL if function.is_set else "(json_agg(_rows) -> 0)::text AS body, count(*) AS rows"
    return (
        f"{called}SELECT {agg}, {total} AS total "
        f"FROM (SELECT {selected(pairs)} FROM _called{where}{order}{page.sql}) AS _rows"
    )


async def function_of(
    connection: "asyncpg.Connection[Any]", schema: str, wanted: str, given: list[str]
) -> Function:
    """Find the function of that name that takes these arguments.

    Raises:
        Refusal: there is none, or several.
    """
    rows = await connection.fetch(_FUNCTIONS, schema, wanted)
    fitting = []
    for row in rows:
        names = [one or "" for one in (row["names"] or [])][: row["inputs"]]
        types = list(row["types"] or [])
        needed = frozenset(names[: row["inputs"] - row["defaults"]])
        if set(given) <= set(names) and needed <= set(given):
            is_void = row["result"] == "void"
            fitting.append(
                Function(
                    schema=schema,
                    name=wanted,
                    arguments=dict(zip(names, types, strict=True)),
                    needed=needed,
                    is_set=row["is_set"],
                    is_row=row["is_row"],
                    is_void=is_void,
                    is_volatile=row["is_volatile"],
                )
            )
    if not fitting:
        raise no_function(schema, wanted, given)
    if len(fitting) > 1:
        text = f"Could not choose the best candidate function between: {schema}.{wanted}"
        raise Refusal(300, "PGRST203", text)
    return fitting[0]


_FUNCTIONS = """
SELECT p.proargnames AS names, p.pronargs AS inputs, p.pronargdefaults AS defaults,
    p.prorettype::regtype::text AS result, p.proretset AS is_set,
    p.provolatile = 'v' AS is_volatile,
    (t.typtype = 'c' OR coalesce(p.proargmodes::text[] && '{t,b,o}', false)) AS is_row,
    (SELECT array_agg(format_type(a.type, NULL) ORDER BY a.place)
        FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, place)) AS types
FROM pg_proc AS p JOIN pg_type AS t ON t.oid = p.prorettype
WHERE p.pronamespace = to_regnamespace(quote_ident($1)) AND p.proname = $2 AND p.prokind = 'f'
"""


async def check_table(connection: "asyncpg.Connection[Any]", schema: str, table: str) -> None:
    """Look whether there is such a table or view.

    Raises:
        Refusal: there is none.
    """
    there = await connection.fetchval(
        "SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($1)) "
        "AND relname = $2 AND relkind IN ('r', 'p', 'v', 'm', 'f')",
        *(schema, table),
    )
    if not there:
        raise no_table(schema, table)


def _returning(change: str, pairs: Pairs) -> str:
    return (
        f"WITH _rows AS ({change} RETURNING {selected(pairs)}) "
        f"SELECT {_ALL}, count(*) AS total FROM _rows"
    )


def _objects(body: str) -> list[dict[str, Any]]:
    try:
        said = json.loads(body)
    except ValueError:
        raise Refusal(400, "PGRST102", "Empty or invalid json") from None
    found = said if isinstance(said, list) else [said]
    if not all(isinstance(one, dict) for one in found):
        raise Refusal(400, "PGRST102", "Empty or invalid json")
    return found
