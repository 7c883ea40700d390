"""JSON documents as SQL functions take and return them, read strictly by the members' names.

JSON has neither times nor bytes: times are written as ISO 8601, bytes as ``\\x`` and hexadecimal
digits. What is not of its type raises TypeError, what is missing LookupError, what is malformed
ValueError.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from tollkeeper.adapters.sql.rows import aware

T = TypeVar("T")
Document = Mapping[str, Any]


def time_text(at: datetime) -> str:
    """Write a time, which has a time zone.

    Raises:
        InvalidRequest: it has none.
    """
    return aware(at).isoformat()


def time_or_none(at: datetime | None) -> str | None:
    """Write a time, or nothing."""
    return None if at is None else time_text(at)


def bytes_text(value: bytes) -> str:
    """Write bytes as PostgreSQL does."""
    return f"\\x{value.hex()}"


def bytes_of(value: object) -> bytes:
    """Read what :func:`bytes_text` wrote."""
    if not isinstance(value, str) or not value.startswith("\\x"):
        raise TypeError
    return bytes.fromhex(value[2:])


def member(document: Document, name: str, kind: type[T]) -> T:
    """Return a member that is of *kind*, and of no subclass: True is no number here."""
    value = document[name]
    if type(value) is not kind:
        raise TypeError
    return value


def optional(document: Document, name: str, kind: type[T]) -> T | None:
    """Return a member that is of *kind*, or None."""
    return None if document[name] is None else member(document, name, kind)


def texts(document: Document, name: str) -> list[str]:
    """Return a member that is an array of texts."""
    found = member(document, name, list)
    if not all(type(each) is str for each in found):
        raise TypeError
    return found


def time_of(document: Document, name: str) -> datetime:
    """Return a member that is a time."""
    return aware(datetime.fromisoformat(member(document, name, str)))


def optional_time(document: Document, name: str) -> datetime | None:
    """Return a member that is a time, or None."""
    return None if document[name] is None else time_of(document, name)
