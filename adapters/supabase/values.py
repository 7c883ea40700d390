"""The columns of answers: JSON has no times, durations or bytes, so they come as PostgreSQL's text.

Each column is read as what its name says it is; anything else is an answer that nobody can trust.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tollkeeper.adapters.sql.rows import aware
from tollkeeper.adapters.supabase.failures import corrupt
from tollkeeper.domain.errors import TollkeeperError

T = TypeVar("T")
Row = Mapping[str, Any]
_DURATION = re.compile(
    r"(?:(?P<days>-?\d+) days? ?)?"
    r"(?:(?P<sign>-?)(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d(?:\.\d{1,6})?))?"
)
_MICROSECOND = timedelta(microseconds=1)


def read_rows(rows: Iterable[Row], read: Callable[[Row], T], *, port: str) -> list[T]:
    """Read each row by *read*, which is given a mapping of the columns' names to their values.

    Raises:
        CorruptResponse: a column is missing, or its value is not of its type.
    """
    try:
        return [read(_typed(row)) for row in rows]
    except (LookupError, TypeError, ValueError, OverflowError, TollkeeperError):
        # Its words may quote what came.
        raise corrupt(port) from None


def time_text(at: datetime) -> str:
    """Write a time, which has a time zone.

    Raises:
        InvalidRequest: it has none.
    """
    return aware(at).isoformat()


def time_or_none(at: datetime | None) -> str | None:
    """Write a time, or nothing."""
    return None if at is None else time_text(at)


def duration_text(lasted: timedelta) -> str:
    """Write a duration."""
    return f"{lasted // _MICROSECOND} microseconds"


def bytes_text(value: bytes) -> str:
    """Write bytes as PostgreSQL does."""
    return f"\\x{value.hex()}"


def _typed(row: Row) -> dict[str, Any]:
    return {name: _READ[name](value) for name, value in row.items() if name in _READ}


def _of(kind: type[T]) -> Callable[[object], T | None]:
    def read(value: object) -> T | None:
        # True is an int to Python, and none to us.
        if value is not None and type(value) is not kind:
            raise TypeError
        return value

    return read


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError
    return aware(datetime.fromisoformat(value))


def _duration(value: object) -> timedelta | None:
    if value is None:
        return None
    found = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if found is None:
        raise ValueError
    clock = timedelta(
        hours=int(found["hours"] or 0),
        minutes=int(found["minutes"] or 0),
        seconds=int((found["seconds"] or "0").partition(".")[0]),
        microseconds=int((found["seconds"] or "").partition(".")[2].ljust(6, "0")),
    )
    return timedelta(days=int(found["days"] or 0)) + (-clock if found["sign"] else clock)


def _bytes(value: object) -> bytes:
    if not isinstance(value, str) or not value.startswith("\\x"):
        raise TypeError
    return bytes.fromhex(value[2:])


def _each(read: Callable[[object], object]) -> Callable[[object], list[object] | None]:
    def read_all(value: object) -> list[object] | None:
        if value is None:
            return None
        if not isinstance(value, list):
            raise TypeError
        return [read(one) for one in value]

    return read_all


def _columns(names: str, read: Callable[[object], object]) -> dict[str, Callable[[object], object]]:
    return dict.fromkeys(names.split(), read)


_READ: Mapping[str, Callable[[object], object]] = {
    **_columns(
        "id account currency kind description idempotency_key hold_id purpose state outcome actor "
        "action subject name prefix key_id call_id operation model meter provenance cost_currency "
        "charge_currency price_id provider credential billed settlement error topic payload",
        _of(str),
    ),
    **_columns(
        "place amount available captured balance_after sequence held posted version quantity cost "
        "charge attempt number events estimated rate_requests max_output_tokens markup_bps claims "
        "tries max_tries",
        _of(int),
    ),
    **_columns("late", _of(bool)),
    **_columns("details quantities", _of(dict)),
    **_columns("scopes operations models kids pepper_ids", _each(_of(str))),
    **_columns("verifiers", _each(_bytes)),
    **_columns("not_before not_after", _each(_time)),
    **_columns(
        "at placed_at expires_at resolved_at created_at revoked_at last_used_at occurred_at "
        "started_at starts_at ends_at first_due due_at ended_at",
        _time,
    ),
    **_columns("lasted rate_period", _duration),
}
