"""The columns of answers: JSON has no times, durations or bytes, so they come as PostgreSQL's text.

Each column is read as what its name says it is; anything else is an answer that nobody can trust.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tollkeeper.adapters.sql.documents import bytes_of, time_or_none, time_text
from tollkeeper.adapters.sql.rows import aware
from tollkeeper.adapters.supabase.failures import corrupt
from tollkeeper.domain.errors import TollkeeperError

__all__ = ["duration_text", "read_documents", "read_rows", "time_or_none", "time_text"]
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


def read_documents(rows: Iterable[Row], read: Callable[[Row], T], *, port: str) -> list[T]:
    """Read the column ``document`` of each row, which is a JSON object, by *read*.

    Raises:
        CorruptResponse: it is missing, or a member of it is not of its type.
    """
    return read_rows(rows, lambda row: read(row["document"]), port=port)


def duration_text(lasted: timedelta) -> str:
    """Write a duration."""
    return f"{lasted // _MICROSECOND} microseconds"


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
        "charge_currency price_id provider credential billed settlement error topic payload "
        "mac_key rate_on_outage",
        _of(str),
    ),
    **_columns(
        "place amount available captured balance_after sequence held posted version quantity cost "
        "charge attempt number events estimated rate_requests max_output_tokens markup_bps claims "
        "tries max_tries used",
        _of(int),
    ),
    **_columns("late", _of(bool)),
    **_columns("details quantities document", _of(dict)),
    **_columns("operations models", _each(_of(str))),
    **_columns("mac", bytes_of),
    **_columns(
        "at placed_at expires_at resolved_at created_at occurred_at "
        "started_at starts_at ends_at first_due due_at ended_at",
        _time,
    ),
    **_columns("lasted rate_period", _duration),
}
