"""How long the provider asks to wait before the next attempt."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_LONGEST_WAIT = timedelta(days=1)
_LIMITS = ("requests", "tokens", "input-tokens", "output-tokens")


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Read how long the provider asks to wait; None where it does not say, or says nonsense.

    A date counts from the answer's own ``Date``, so that a clock that is off does no harm.
    Without ``Retry-After``, the last reset of a limit that is used up says when.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        try:
            return _bounded(timedelta(seconds=float(text) * unit))
        except (ValueError, OverflowError):
            continue
    until = _date(headers.get("retry-after")) or _reset(headers)
    since = _date(headers.get("date")) or datetime.now(UTC)
    return None if until is None else _bounded(until - since)


def _bounded(wait: timedelta) -> timedelta:
    return min(max(wait, timedelta(0)), _LONGEST_WAIT)


def _date(text: str | None) -> datetime | None:
    try:
        return _aware(parsedate_to_datetime(text or ""))
    except (TypeError, ValueError, IndexError):
        return None


def _reset(headers: Mapping[str, str]) -> datetime | None:
    """Return when the limits that are used up begin anew, by ``anthropic-ratelimit-*-reset``."""
    found: list[datetime] = []
    for limit in _LIMITS:
        if headers.get(f"anthropic-ratelimit-{limit}-remaining", "0").strip() != "0":
            continue
        try:
            text = headers.get(f"anthropic-ratelimit-{limit}-reset", "")
            found.append(_aware(datetime.fromisoformat(text)))
        except ValueError:
            continue
    return max(found, default=None)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
