"""How values of a host's tables are written to SQLite, which knows few kinds, and read back.

Booleans are 0 and 1; times are text such as ``2001-01-01T12:00:00.000000Z``, dates, UUIDs and JSON
text as well; decimals are text too, in columns of type TEXT, and compared as numbers by a collation
of ours. Text and its order are that of code points.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from tollkeeper.adapters.sql.table_sql import Dialect
from tollkeeper.domain.table_values import Kind, json_text, mismatch, read_value

_DECIMALS = "tollkeeper_decimal"


def _time_text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


_WRITE: Mapping[Kind, Callable[[Any], object]] = {
    Kind.BOOLEAN: int,
    Kind.DECIMAL: lambda number: format(number, "f"),
    Kind.TIME: _time_text,
    Kind.DATE: date.isoformat,
    Kind.UUID: str,
    Kind.JSON: json_text,
}


def written(kind: Kind, value: Any) -> object:
    """Return a checked *value* as ``sqlite3`` takes it."""
    return _WRITE[kind](value) if kind in _WRITE else value


def _boolean(value: object) -> bool:
    if value not in (0, 1):
        raise ValueError("neither true nor false")
    return bool(value)


def _decimal(value: object) -> Decimal:
    # A number here was text before the column's type made it one, perhaps with loss.
    if not isinstance(value, str):
        raise TypeError("no text")
    return Decimal(value)


def _time(value: Any) -> datetime:
    at = datetime.fromisoformat(value)
    if _time_text(at) != value:
        raise ValueError("not as we write it, so that its order is not that of time")
    return at


def _date(value: Any) -> date:
    at = date.fromisoformat(value)
    if at.isoformat() != value:
        raise ValueError("not as we write it")
    return at


def _json(value: Any) -> object:
    return json.loads(value) if isinstance(value, str) else value


_READ: Mapping[Kind, Callable[[Any], object]] = {
    Kind.BOOLEAN: _boolean,
    Kind.DECIMAL: _decimal,
    Kind.TIME: _time,
    Kind.DATE: _date,
    Kind.UUID: UUID,
    Kind.JSON: _json,
}


def read(kind: Kind, value: Any, *, field: str) -> Any:
    """Return what SQLite gave back for the column *field* of *kind*.

    Raises:
        CorruptResponse: it is something else (code ``kind_mismatch``).
    """
    if value is None:
        return None
    try:
        decoded = _READ[kind](value) if kind in _READ else value
    except (ValueError, TypeError, AttributeError, InvalidOperation):
        raise mismatch(kind, adapter="sqlite", field=field) from None
    return read_value(kind, decoded, adapter="sqlite", field=field)


def _compared(one: str, other: str) -> int:
    try:
        first, second = Decimal(one), Decimal(other)
    except InvalidOperation:
        # Text that is no number; an exception in here would end the process's statement unclearly.
        return (one > other) - (one < other)
    return (first > second) - (first < second)


def teach(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Make *connection* compare decimals as numbers."""
    connection.create_collation(_DECIMALS, _compared)
    return connection


DIALECT = Dialect(
    # Between double quotes, SQLite takes the name of a column that is not there for a text.
    marks="[]",
    placeholder=lambda number, _: f"?{number}",
    write=written,
    collation={Kind.TEXT: " COLLATE BINARY", Kind.DECIMAL: f" COLLATE {_DECIMALS}"},
    equality={Kind.DECIMAL: f" COLLATE {_DECIMALS}"},
    starts_with="substr({column}, 1, length({value})) = {value}",
    contains="instr({column}, {value}) > 0",
)
