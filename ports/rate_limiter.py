"""How often."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from tollkeeper.domain.rate_limits import RateDecision, RateRequest


@runtime_checkable
class RateLimiter(Protocol):
    """Counts requests in named buckets by GCRA (:mod:`tollkeeper.domain.rate_limits`)."""

    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        """Count all of *asked*, or nothing if one of them is over its limit; atomic.

        A fresh bucket admits its whole limit at once, from any number of callers, and not one
        more. After ``retry_after`` of a refusal the same question passes if nobody else asked;
        after ``reset_after`` of any decision each bucket has its whole limit again.
        The adapter's own clock counts. Asking nothing is allowed and passes.

        Raises:
            InvalidRequest: a cost is not positive or larger than its limit, or a bucket is
                named twice.
            PortError: it could not be decided; the caller's policy says what that means.
        """
