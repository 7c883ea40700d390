"""Times as whole microseconds since 1970 in UTC: exact, and the same on every machine."""

from datetime import UTC, datetime, timedelta

from tollkeeper.domain.errors import InvalidRequest

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(at: datetime) -> int:
    """Write *at* (aware) as microseconds since 1970.

    Raises:
        InvalidRequest: *at* has no time zone.
    """
    try:
        return (at - _EPOCH) // _MICROSECOND
    except TypeError:
        raise InvalidRequest("a time must be a datetime with a time zone") from None


def to_micros_or_none(at: datetime | None) -> int | None:
    """Write *at* as microseconds since 1970, or None."""
    return None if at is None else to_micros(at)


def from_micros(micros: int) -> datetime:
    """Read microseconds since 1970 as an aware time in UTC."""
    return _EPOCH + micros * _MICROSECOND
