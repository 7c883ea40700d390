"""Durations as people write them in settings."""

import re
from datetime import timedelta

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_WRITTEN = re.compile(r"([0-9]{1,9})\s*(ms|s|m|h|d)")


def parse_duration(text: object) -> timedelta:
    """Read ``"90s"``, ``"2m"``, ``"24h"`` or ``"7d"``.

    Raises:
        ValueError: *text* reads otherwise.
    """
    match = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a duration is a number with its unit, such as 90s, 2m, 24h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
