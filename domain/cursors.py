"""Where a page ended, as text that means something to us alone.

A cursor says which question it belongs to and what the last row's place in the order was. It is
no secret and no proof of a right: whoever asks may see what it leads to anyway. What was changed
on the way, or belongs to another question, is refused rather than answered with wrong rows.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.table_values import Kind, checked_value
from tollkeeper.domain.tables import Table

_LONGEST = 1 << 23
_VERSION = 1


def write_cursor(table: Table, subject: object, values: Sequence[object]) -> str:
    """Write a cursor for the question *subject* at the row whose place is *values*."""
    written = [None if value is None else _written(value) for value in values]
    body = json.dumps([_VERSION, _fingerprint(table, subject), written]).encode()
    return _text_of(_seal(body) + body)


def read_cursor(
    table: Table, subject: object, cursor: object, columns: Sequence[str]
) -> list[object]:
    """Return the place that *cursor* names: a value for each of *columns*.

    Raises:
        InvalidRequest: it was changed, or comes from another question (``invalid_cursor``).
    """
    try:
        if not isinstance(cursor, str) or len(cursor) > _LONGEST:
            raise ValueError("no text, or too long")
        raw = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), b"-_", validate=True)
        seal, body = raw[:16], raw[16:]
        # Without this, the last letters of the text could be others and mean the same.
        if seal != _seal(body) or _text_of(raw) != cursor:
            raise ValueError("it was changed")
        version, fingerprint, written = json.loads(body)
        if version != _VERSION or fingerprint != _fingerprint(table, subject):
            raise ValueError("it belongs to another question")
        return [
            _read(table.columns[name].kind, text)
            for name, text in zip(columns, written, strict=True)
        ]
    except (ValueError, TypeError, ArithmeticError, InvalidRequest, RecursionError):
        raise InvalidRequest(
            "after must be the cursor of a page of the same question: the same table, filter and "
            "order",
            code="invalid_cursor",
        ) from None


def _text_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _seal(body: bytes) -> bytes:
    return hashlib.sha256(b"tollkeeper cursor\0" + body).digest()[:16]


def _fingerprint(table: Table, subject: object) -> str:
    said = repr((table.name, table.key, subject))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _written(value: object) -> str:
    match value:
        case bool():
            return "1" if value else ""
        case float():
            return value.hex()
        case bytes():
            return value.hex()
        case datetime() | date():
            return value.isoformat()
    return str(value)


_READ: Mapping[Kind, Callable[[str], Any]] = {
    Kind.BOOLEAN: bool,
    Kind.INTEGER: int,
    Kind.FLOAT: float.fromhex,
    Kind.DECIMAL: Decimal,
    Kind.TEXT: str,
    Kind.BYTES: bytes.fromhex,
    Kind.TIME: lambda text: datetime.fromisoformat(text).astimezone(UTC),
    Kind.DATE: date.fromisoformat,
    Kind.UUID: UUID,
}


def _read(kind: Kind, text: str | None) -> object:
    return None if text is None else checked_value(kind, _READ[kind](text), field="after")
