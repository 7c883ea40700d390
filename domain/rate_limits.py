"""Rate limits by the generic cell rate algorithm (GCRA), in whole microseconds."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

from attrs import frozen

from tollkeeper.domain.errors import InvalidRequest

_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_WRITTEN = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour|day)")


@frozen
class RateLimit:
    """*requests* in each *period*; a full burst of *requests* may come at once.

    Raises:
        InvalidRequest: *requests* or *period* is not positive.
    """

    requests: int
    period: timedelta

    def __attrs_post_init__(self) -> None:
        if type(self.requests) is not int or self.requests < 1:
            raise InvalidRequest("a rate limit allows 1 or more requests")
        if not isinstance(self.period, timedelta) or self.period < timedelta(milliseconds=1):
            raise InvalidRequest("a rate limit's period is a millisecond or more")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"60/minute"`` (or second, hour, day).

        Raises:
            InvalidRequest: *text* reads otherwise.
        """
        match = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise InvalidRequest(f"{text!r} is no rate limit; write it as 60/minute")
        return cls(int(match[1]), timedelta(seconds=_PERIODS[match[2]]))

    def __str__(self) -> str:
        for name, seconds in _PERIODS.items():
            if self.period == timedelta(seconds=seconds):
                return f"{self.requests}/{name}"
        return f"{self.requests} per {self.period}"


@frozen
class RateRequest:
    """Asks *limit*, counted in *bucket*, for *cost* requests."""

    bucket: str
    limit: RateLimit
    cost: int = 1


@frozen
class RateDecision:
    """Whether all that was asked may pass.

    When refused, nothing was counted, and *retry_after* is long enough for the same question to
    pass if nobody else asks. *remaining* is what the tightest bucket still allows at once. After
    *reset_after* all the buckets are as good as fresh if nobody asks.
    """

    allowed: bool
    remaining: int
    retry_after: timedelta = timedelta(0)
    reset_after: timedelta = timedelta(0)


def decide(
    asked: Sequence[RateRequest], arrivals: Sequence[int], *, now: int
) -> tuple[RateDecision, tuple[int, ...]]:
    """Apply GCRA to all of *asked* at once; pure.

    Args:
        asked: what to check, all or nothing.
        arrivals: each bucket's theoretical arrival time, in microseconds; 0 for a fresh one.
        now: the time, in microseconds.

    Returns:
        The decision, and the arrival times to store (unchanged when refused).
    """
    moved = []
    remaining = None
    wait = 0
    latest = max(arrivals, default=now)
    for request, arrival in zip(asked, arrivals, strict=True):
        window = request.limit.period // timedelta(microseconds=1)
        if not 1 <= request.cost <= request.limit.requests:
            raise InvalidRequest("the cost is larger than the whole limit, or not positive")
        # Rounded up, so that rounding never admits more than the limit says.
        step = -(-window // request.limit.requests)
        tolerance = step * request.limit.requests
        after = max(arrival, now) + step * request.cost
        wait = max(wait, after - tolerance - now)
        left = (tolerance - (after - now)) // step
        remaining = left if remaining is None else min(remaining, left)
        moved.append(after)
    if wait > 0:
        reset = timedelta(microseconds=max(latest - now, 0))
        return RateDecision(False, 0, timedelta(microseconds=wait), reset), tuple(arrivals)
    reset = timedelta(microseconds=max(moved, default=now) - now)
    return RateDecision(True, remaining or 0, reset_after=reset), tuple(moved)
