"""The kinds of values that a column of a host's table holds, the same on every database."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from tollkeeper.domain.errors import CorruptResponse, InvalidRequest

LONGEST = 1 << 20
"""How many characters or bytes a value may have."""
_LARGEST_INTEGER = (1 << 63) - 1
_MOST_DIGITS = 100
_EXACT = 1 << 53
_WHOLE = 1e16


class Kind(StrEnum):
    """What a column holds, and as what Python gives it back."""

    BOOLEAN = "boolean"
    """A bool; false comes before true."""
    INTEGER = "integer"
    """An int of 64 bits."""
    FLOAT = "float"
    """A finite float; a negative zero becomes zero."""
    DECIMAL = "decimal"
    """A Decimal of at most 100 digits before the point and 100 after it; zeros at its end go."""
    TEXT = "text"
    """A str without the character zero; in the order of its code points."""
    BYTES = "bytes"
    """Bytes."""
    TIME = "time"
    """An aware datetime, to the microsecond; comes back in UTC."""
    DATE = "date"
    """A date (and no datetime)."""
    UUID = "uuid"
    """A UUID."""
    JSON = "json"
    """A dict, list, str, int, float or bool, not null itself. It has no order and no equality.

    A float of 1e16 or more comes back as the int that it equals.
    """


def checked_value(kind: Kind, value: object, *, field: str) -> Any:
    """Return *value* as *kind* gives it back; None stays None.

    Raises:
        InvalidRequest: it is of another kind, or none that a database keeps (code
            ``invalid_value``); the text names *field*, and no value.
    """
    if value is None:
        return None
    try:
        return _CHECKS[kind](value)
    except (_NotThisKind, ArithmeticError, ValueError, TypeError, RecursionError) as error:
        reason = error if isinstance(error, _NotThisKind) else None
        raise InvalidRequest(
            f"{field} must be {reason or _NAMES[kind]}", code="invalid_value"
        ) from reason or None


def read_value(kind: Kind, value: object, *, adapter: str, field: str) -> Any:
    """Return what the database gave back for a column of *kind*, after the adapter decoded it.

    Raises:
        CorruptResponse: the column is of another kind than was declared (``kind_mismatch``).
    """
    try:
        return checked_value(kind, value, field=field)
    except InvalidRequest:
        raise mismatch(kind, adapter=adapter, field=field) from None


def mismatch(kind: Kind | str, *, adapter: str, field: str) -> CorruptResponse:
    """Make the answer to a column that holds something else than its declaration says."""
    return CorruptResponse(
        f"{field} is declared as {kind}, but the database gave back something else; "
        "correct the declaration",
        port="tables",
        adapter=adapter,
        code="kind_mismatch",
    )


def json_text(value: object) -> str:
    """Write a checked value of kind JSON."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


class _NotThisKind(Exception):
    """Says what the value should be."""


def _integer(value: object) -> int:
    if type(value) is not int or not -_LARGEST_INTEGER - 1 <= value <= _LARGEST_INTEGER:
        raise _NotThisKind(_NAMES[Kind.INTEGER])
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise _NotThisKind(_NAMES[Kind.BOOLEAN])
    return value


def _float(value: object) -> float:
    if type(value) is int and abs(value) <= _EXACT:
        return float(value)
    if not isinstance(value, float) or not math.isfinite(value):
        raise _NotThisKind(_NAMES[Kind.FLOAT])
    return float(value) + 0.0


def _decimal(value: object) -> Decimal:
    if type(value) is int:
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        raise _NotThisKind(_NAMES[Kind.DECIMAL])
    sign, digits, power = value.as_tuple()
    exponent = int(power)
    if len(digits) > 2 * _MOST_DIGITS or abs(exponent) > 4 * _MOST_DIGITS:
        raise _NotThisKind(_NAMES[Kind.DECIMAL])
    # By hand: the arithmetic of decimals rounds to the precision of the thread's context.
    kept = list(digits)
    while kept and kept[-1] == 0:
        kept.pop()
        exponent += 1
    if not kept:
        return Decimal(0)
    kept += [0] * exponent
    exponent = min(exponent, 0)
    if -exponent > _MOST_DIGITS or len(kept) + exponent > _MOST_DIGITS:
        raise _NotThisKind(_NAMES[Kind.DECIMAL])
    return Decimal((sign, tuple(kept), exponent))


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST or "\0" in value:
        raise _NotThisKind(_NAMES[Kind.TEXT])
    value.encode()  # half of a surrogate pair is a ValueError
    return str(value)


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes) or len(value) > LONGEST:
        raise _NotThisKind(_NAMES[Kind.BYTES])
    return bytes(value)


def _time(value: object) -> datetime:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise _NotThisKind(_NAMES[Kind.TIME])
    return value.astimezone(UTC).replace(fold=0)


def _date(value: object) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _NotThisKind(_NAMES[Kind.DATE])
    return value


def _uuid(value: object) -> UUID:
    if not isinstance(value, UUID):
        raise _NotThisKind(_NAMES[Kind.UUID])
    return UUID(int=value.int)


def _json(value: object) -> Any:
    plain = _plain(value)
    if len(json_text(plain)) > LONGEST:
        raise _NotThisKind(_NAMES[Kind.JSON])
    return plain


def _plain(value: object) -> Any:
    """Return a copy that is the caller's own, of nothing but what JSON has."""
    if value is None or isinstance(value, bool) or type(value) is int:
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        number = _float(value)
        # PostgreSQL writes such a number without a point, so that it would be read as an int.
        return int(number) if abs(number) >= _WHOLE else number
    if isinstance(value, Mapping):
        return {_text(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(inner) for inner in value]
    raise _NotThisKind(_NAMES[Kind.JSON])


_NAMES = {
    Kind.BOOLEAN: "a bool",
    Kind.INTEGER: "a whole number of at most 64 bits",
    Kind.FLOAT: "a finite float",
    Kind.DECIMAL: "a Decimal of at most 100 digits before the point and 100 after it",
    Kind.TEXT: f"a text of at most {LONGEST} characters, without the character zero",
    Kind.BYTES: f"bytes, at most {LONGEST}",
    Kind.TIME: "a datetime with a time zone",
    Kind.DATE: "a date",
    Kind.UUID: "a UUID",
    Kind.JSON: f"what JSON can say, in at most {LONGEST} characters",
}
_CHECKS = {
    Kind.BOOLEAN: _boolean,
    Kind.INTEGER: _integer,
    Kind.FLOAT: _float,
    Kind.DECIMAL: _decimal,
    Kind.TEXT: _text,
    Kind.BYTES: _bytes,
    Kind.TIME: _time,
    Kind.DATE: _date,
    Kind.UUID: _uuid,
    Kind.JSON: _json,
}
