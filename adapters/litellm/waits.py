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
            return bounded(timedelta(seconds=float(text) * unit))
        except (ValueError, OverflowError):
            continue
    until, since = _date(headers.get("retry-after")), _date(headers.get("date"))
    return None if until is None else bounded(until - (since or datetime.now(UTC)))


def bounded(wait: timedelta) -> timedelta:
    """Return *wait*, but not below nothing nor above a day."""
    return min(max(wait, timedelta(0)), _LONGEST_WAIT)


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text or "")
    except (TypeError, ValueError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
