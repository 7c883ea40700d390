"""How long the provider asks to wait before the next attempt."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from tollkeeper.adapters.wire import waits

_LIMITS = ("requests", "tokens", "input-tokens", "output-tokens")


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Read how long the provider asks to wait; None where it does not say, or says nonsense.

    Without ``Retry-After``, the last reset of a limit that is used up says when.
    """
    wait = waits.retry_after(headers)
    if wait is not None:
        return wait
    until = _reset(headers)
    return None if until is None else waits.wait_until(until, headers)


def _reset(headers: Mapping[str, str]) -> datetime | None:
    """Return when the limits that are used up begin anew, by ``anthropic-ratelimit-*-reset``."""
    found: list[datetime] = []
    for limit in _LIMITS:
        if headers.get(f"anthropic-ratelimit-{limit}-remaining", "0").strip() != "0":
            continue
        try:
            text = headers.get(f"anthropic-ratelimit-{limit}-reset", "")
            found.append(waits.aware(datetime.fromisoformat(text)))
        except ValueError:
            continue
    return max(found, default=None)
