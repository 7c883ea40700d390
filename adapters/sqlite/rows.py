"""How domain values are written to columns and read back."""

from datetime import datetime, timedelta

from tollkeeper.domain.instants import from_micros as from_micros
from tollkeeper.domain.instants import to_micros as to_micros
from tollkeeper.domain.instants import to_micros_or_none as to_micros_or_none

_MICROSECOND = timedelta(microseconds=1)
_LARGEST = 2**63 - 1
FROM_THE_START = -(2**63)
"""Before all times."""


def from_micros_or_none(micros: int | None) -> datetime | None:
    """Read microseconds since 1970, or None."""
    return None if micros is None else from_micros(micros)


def duration_to_micros(duration: timedelta) -> int:
    """Write *duration* as microseconds."""
    return duration // _MICROSECOND


def duration_from_micros(micros: int) -> timedelta:
    """Read microseconds as a duration."""
    return timedelta(microseconds=micros)


def span(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """Write a period as two numbers of microseconds since 1970; None leaves an end open."""
    return (
        FROM_THE_START if since is None else to_micros(since),
        _LARGEST if until is None else to_micros(until),
    )


def page_size(limit: int) -> int:
    """Return *limit* as SQL's LIMIT takes it; below zero SQLite would return everything."""
    return min(max(limit, 0), _LARGEST)
