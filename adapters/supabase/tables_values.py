"""How values of a host's tables are written to PostgREST, in JSON and in URLs, and read back.

Decimals go as text both ways: the client reads a number of JSON as a float.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from tollkeeper.adapters.supabase.failures import ADAPTER
from tollkeeper.domain.table_values import Kind, mismatch, read_value


def _bytes_text(value: bytes) -> str:
    return f"\\x{value.hex()}"


_IN_JSON: Mapping[Kind, Callable[[Any], object]] = {
    Kind.DECIMAL: lambda number: format(number, "f"),
    Kind.BYTES: _bytes_text,
    Kind.TIME: datetime.isoformat,
    Kind.DATE: date.isoformat,
    Kind.UUID: str,
}
_IN_URLS: Mapping[Kind, Callable[[Any], str]] = {
    Kind.BOOLEAN: lambda value: "true" if value else "false",
    Kind.INTEGER: str,
    Kind.FLOAT: repr,
    Kind.DECIMAL: lambda number: format(number, "f"),
    Kind.TEXT: str,
    Kind.BYTES: _bytes_text,
    Kind.TIME: datetime.isoformat,
    Kind.DATE: date.isoformat,
    Kind.UUID: str,
}


def in_json(kind: Kind, value: Any) -> object:
    """Return a checked *value* as it stands in the body of a request."""
    return _IN_JSON[kind](value) if value is not None and kind in _IN_JSON else value


def in_url(kind: Kind, value: Any) -> str:
    """Return a checked *value*, which is not None, as text."""
    return _IN_URLS[kind](value)


def selected(name: str, kind: Kind) -> str:
    """Return how a column of *kind* is asked for, so that nothing of it is lost on the way."""
    return f"{name}::text" if kind is Kind.DECIMAL else name


def _read_bytes(value: Any) -> bytes:
    if not value.startswith("\\x"):
        raise ValueError("not in hexadecimal")
    return bytes.fromhex(value[2:])


def _read_decimal(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise TypeError("not as it was asked for")
    return Decimal(value)


_READ: Mapping[Kind, Callable[[Any], object]] = {
    Kind.DECIMAL: _read_decimal,
    Kind.BYTES: _read_bytes,
    Kind.TIME: datetime.fromisoformat,
    Kind.DATE: date.fromisoformat,
    Kind.UUID: UUID,
}


def read(kind: Kind, value: Any, *, field: str) -> Any:
    """Return what came in JSON for the column *field* of *kind*.

    Raises:
        CorruptResponse: it is something else (code ``kind_mismatch``).
    """
    if value is None:
        return None
    try:
        decoded = _READ[kind](value) if kind in _READ else value
    except (ValueError, TypeError, AttributeError, InvalidOperation):
        raise mismatch(kind, adapter=ADAPTER, field=field) from None
    return read_value(kind, decoded, adapter=ADAPTER, field=field)
