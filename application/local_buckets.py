"""Rate limit buckets in the memory of this process, bounded in number."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta

from tollkeeper.domain.rate_limits import RateDecision, RateRequest, decide
from tollkeeper.ports.clock import Clock

_MICROSECOND = timedelta(microseconds=1)
_A_SECOND = 1_000_000


class LocalBuckets:
    """Counts by GCRA, without waiting; several event loops and threads may share it.

    At most *most* buckets are kept. Beyond that the one that was not asked for longest is
    forgotten, and begins anew: what may be forgotten is not what guards money.
    """

    def __init__(self, clock: Clock, *, most: int) -> None:
        self._clock = clock
        self._most = most
        self._arrivals: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return how many buckets are remembered."""
        return len(self._arrivals)

    def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        """Count all of *asked*, or nothing if one of them is over its limit."""
        with self._lock:
            now = round(self._clock.monotonic() * _A_SECOND)
            arrivals = [self._arrivals.get(request.bucket, 0) for request in asked]
            decision, moved = decide(asked, arrivals, now=now)
            for request, arrival in zip(asked, moved, strict=True):
                # Who is refused is remembered too: else a refused client is soon a fresh one.
                if decision.allowed or request.bucket in self._arrivals:
                    self._arrivals[request.bucket] = arrival
                    self._arrivals.move_to_end(request.bucket)
            while len(self._arrivals) > self._most:
                self._arrivals.popitem(last=False)
            return decision

    def give_back(self, asked: Sequence[RateRequest]) -> None:
        """Take back what :meth:`take` counted; a bucket is never better than fresh."""
        with self._lock:
            now = round(self._clock.monotonic() * _A_SECOND)
            for request in asked:
                arrival = self._arrivals.get(request.bucket, 0)
                arrival -= step_of(request) // _MICROSECOND
                if arrival > now:
                    self._arrivals[request.bucket] = arrival
                else:
                    self._arrivals.pop(request.bucket, None)


def step_of(request: RateRequest) -> timedelta:
    """Return how long the request fills its bucket: the longest that it alone may have to wait.

    That holds while nobody lowers the limit of a bucket that is in use.
    """
    window = request.limit.period // _MICROSECOND
    return -(-window // request.limit.requests) * request.cost * _MICROSECOND
