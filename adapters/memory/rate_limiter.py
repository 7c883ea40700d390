"""A rate limiter in the memory of the process."""

import threading
from collections.abc import Sequence
from typing import Self

from tollkeeper.domain.errors import ConfigurationError, InvalidRequest, Unavailable
from tollkeeper.domain.rate_limits import RateDecision, RateRequest, decide
from tollkeeper.ports.clock import Clock

_MOST_BUCKETS = 1_000_000
_FEWEST = 1024
_MICROSECONDS = 1_000_000


class MemoryRateLimiter:
    """Counts for this process alone; several event loops and threads may share it.

    A bucket whose requests are all long past is as good as fresh and is forgotten. At most
    *most_buckets* are kept: beyond that new ones are refused, since to forget a bucket that is
    still counting would admit more than its limit.
    """

    def __init__(self, clock: Clock, *, most_buckets: int = _MOST_BUCKETS) -> None:
        self._clock = clock
        self._most_buckets = most_buckets
        self._arrivals: dict[str, int] = {}
        self._sweep_at = min(_FEWEST, most_buckets)
        self._next_sweep = 0
        self._lock = threading.Lock()

    @classmethod
    def from_url(cls, url: str, *, clock: Clock) -> Self:
        """Make a rate limiter of its own from ``memory://``.

        Raises:
            ConfigurationError: *url* says anything more.
        """
        if url != "memory://":
            raise ConfigurationError(
                "the memory rate limiter takes no path and no options; write memory://"
            )
        return cls(clock)

    @property
    def buckets(self) -> int:
        """How many buckets are remembered."""
        return len(self._arrivals)

    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        """Count all of *asked*, or nothing.

        Raises:
            InvalidRequest: a cost does not fit its limit, or a bucket is named twice.
            Unavailable: there are too many buckets that still count.
        """
        buckets = [request.bucket for request in asked]
        if len(set(buckets)) != len(buckets):
            raise InvalidRequest("a bucket is named twice", code="duplicate_bucket")
        with self._lock:
            now = round(self._clock.monotonic() * _MICROSECONDS)
            arrivals = [self._arrivals.get(bucket, 0) for bucket in buckets]
            decision, moved = decide(asked, arrivals, now=now)
            if decision.allowed:
                self._make_room(sum(b not in self._arrivals for b in buckets), now)
                self._arrivals.update(zip(buckets, moved, strict=True))
            return decision

    def _make_room(self, new: int, now: int) -> None:
        """Forget buckets that are as good as fresh, if *new* more make it necessary."""
        if not new or len(self._arrivals) + new <= self._sweep_at:
            return
        if now >= self._next_sweep:
            self._arrivals = {b: arrival for b, arrival in self._arrivals.items() if arrival > now}
            # Twice what is left, so that sweeping costs a constant share of the calls; and once
            # a second at the most when there is no room to double.
            self._sweep_at = min(self._most_buckets, 2 * len(self._arrivals) + _FEWEST)
            if self._sweep_at == self._most_buckets:
                self._next_sweep = now + _MICROSECONDS
        if len(self._arrivals) + new > self._most_buckets:
            raise Unavailable(
                f"more than {self._most_buckets} rate limit buckets are counting; try again later",
                port="rate_limiter",
                adapter="memory",
            )
