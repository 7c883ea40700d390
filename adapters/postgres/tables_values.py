"""How values of a host's tables are written to PostgreSQL and read back.

Each value is sent as the type of its kind, whatever the column's own is: PostgreSQL converts where
it does so by itself, and a number that a column has no room for is compared rather than refused.
"""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from tollkeeper.adapters.sql.table_sql import Dialect
from tollkeeper.domain.table_values import Kind, json_text, mismatch, read_value

TYPES: Mapping[Kind, str] = {
    Kind.BOOLEAN: "boolean",
    Kind.INTEGER: "bigint",
    Kind.FLOAT: "double precision",
    Kind.DECIMAL: "numeric",
    Kind.TEXT: "text",
    Kind.BYTES: "bytea",
    Kind.TIME: "timestamptz",
    Kind.DATE: "date",
    Kind.UUID: "uuid",
    Kind.JSON: "jsonb",
}


_AS_TEXT: Mapping[Kind, Callable[[Any], str]] = {
    # As such, asyncpg takes the first and the last of their type for minus and plus infinity.
    Kind.TIME: datetime.isoformat,
    Kind.DATE: date.isoformat,
}


def written(kind: Kind, value: Any) -> object:
    """Return a checked *value* as asyncpg takes it."""
    if value is None:
        return None
    if kind is Kind.JSON:
        return json_text(value)
    return _AS_TEXT[kind](value) if kind in _AS_TEXT else value


def placed(number: int, kind: Kind) -> str:
    """Return the mark of the value of that number, as its own type."""
    return f"${number}::text::{TYPES[kind]}" if kind in _AS_TEXT else f"${number}::{TYPES[kind]}"


def passed(number: int, kind: Kind) -> str:
    """Return the mark of an argument: of the type that the function has, where that can be."""
    return placed(number, kind) if kind in _AS_TEXT else f"${number}"


def read(kind: Kind, value: Any, *, field: str) -> Any:
    """Return what asyncpg gave back for the column *field* of *kind*.

    Raises:
        CorruptResponse: it is something else (code ``kind_mismatch``).
    """
    if kind is Kind.JSON and isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise mismatch(kind, adapter="postgres", field=field) from None
    return read_value(kind, value, adapter="postgres", field=field)


DIALECT = Dialect(
    marks='""',
    placeholder=placed,
    write=written,
    # The order of code points, whatever the language of the database is. Where texts are only
    # compared for equality, it would but keep an index from serving.
    collation={Kind.TEXT: ' COLLATE "C"'},
    equality={},
    starts_with="starts_with({column}, {value})",
    contains="strpos({column}, {value}) > 0",
)
