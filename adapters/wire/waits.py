"""How long a provider asks to wait before the next attempt."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_LONGEST_WAIT = timedelta(days=1)


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Read how long the provider asks to wait; None where it does not say, or says nonsense.

    A date counts from the answer's own ``Date``, so that a clock that is off does no harm.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        try:
            return _bounded(timedelta(seconds=float(text) * unit))
        except (ValueError, OverflowError):
            continue
    until = _date(headers.get("retry-after"))
    return None if until is None else wait_until(until, headers)


def wait_until(moment: datetime, headers: Mapping[str, str]) -> timedelta:
    """Return the wait from when an answer with *headers* was sent until *moment*."""
    return _bounded(moment - (_date(headers.get("date")) or datetime.now(UTC)))


def wait_of(seconds: float) -> timedelta:
    """Return a wait of *seconds*, but not below nothing nor above a day."""
    return _bounded(timedelta(seconds=seconds))


def aware(moment: datetime) -> datetime:
    """Return *moment*, in UTC where it names no zone."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _bounded(wait: timedelta) -> timedelta:
    return min(max(wait, timedelta(0)), _LONGEST_WAIT)


def _date(text: str | None) -> datetime | None:
    try:
        return aware(parsedate_to_datetime(text or ""))
    except (TypeError, ValueError, IndexError):
        return None
