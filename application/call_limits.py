"""How often a caller may call: the account's plan, the key's own limits, and the key's quota."""

import asyncio
from datetime import datetime, timedelta

import anyio
from attrs import define, field

from tollkeeper.application.rate_checks import LimitAsked, RateChecks, RateRefusal
from tollkeeper.application.recent_refusals import RecentRefusals
from tollkeeper.domain.errors import PortError, QuotaExceeded, RateLimited
from tollkeeper.domain.key_limits import Quota
from tollkeeper.domain.plans import Plan
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.rate_limits import RateRequest
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.quota_counter import QuotaCounter
from tollkeeper.ports.rate_limiter import RateLimiter

_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)


@define(eq=False)
class CallLimits:
    """Counts calls against all that limits them; a refused call is counted nowhere.

    What is counted belongs to the account and to the key's id: secrets that are rotated share it.
    While the rate limiter is away each limit's own policy holds, and *processes* is how many share
    a limit that is then counted in each of them; without the quota counter no call that has a
    quota passes. One for a process: it remembers what is away and who was just refused.

    Raises:
        ConfigurationError: *processes* is not 1 or more.
    """

    rate_limiter: RateLimiter
    quota_counter: QuotaCounter
    clock: Clock
    processes: int = 1
    not_given_back: int = field(default=0, init=False)
    """Refused calls that a quota counts all the same: the counter was away."""
    rates: RateChecks = field(init=False)
    """What is asked of the rate limiter; it tells what passed without it."""
    _refused: RecentRefusals = field(init=False, factory=RecentRefusals)

    def __attrs_post_init__(self) -> None:
        self.rates = RateChecks(self.rate_limiter, self.clock, self.processes)

    async def count(self, principal: Principal, plan: Plan) -> None:
        """Count one call of *principal*, whose account has *plan*.

        A principal without a key has the limit of the account's plan alone.

        Raises:
            RateLimited: the plan, or the key, allows no further call yet.
            QuotaExceeded: the key's quota is used up; the text says until when.
            PortError: the quota counter is away, or the rate limiter is and one of the limits is
                closed then.
        """
        asked = _limits_of(principal, plan)
        if asked and (refusal := self._refused.get(asked, now=self._microseconds())):
            raise _rate_limited(refusal)
        quota = principal.quota if principal.key_id else None
        at = self.clock.now()
        # The quota comes first since it can be given back, and a rate cannot.
        if quota is not None and not await self.quota_counter.take(principal.key_id, quota, at=at):
            raise QuotaExceeded(
                f"the key's quota of {quota} is used up; the next {quota.period} begins at "
                f"{quota.ends(at).isoformat()}"
            )
        if not asked:
            return
        try:
            refusal = await self.rates.check(asked)
            if refusal is not None:
                self._refused.keep(asked, refusal, now=self._microseconds())
                raise _rate_limited(refusal)
        except BaseException:
            if quota is not None:
                await self._give_back(principal.key_id, quota, at)
            raise

    async def _give_back(self, key_id: str, quota: Quota, at: datetime) -> None:
        """Give the call back to *quota*, once, even when the caller is cancelled."""
        giving = asyncio.ensure_future(self.quota_counter.give_back(key_id, quota, at=at))
        left: asyncio.CancelledError | None = None
        with anyio.CancelScope(shield=True):
            while not giving.done():
                try:
                    await asyncio.wait([giving])
                except asyncio.CancelledError as error:
                    left = error
        failure = None if giving.cancelled() else giving.exception()
        self.not_given_back += giving.cancelled() or failure is not None
        if left is not None:
            raise left
        # That the counter is away changes nothing about why the call is refused.
        if failure is not None and not isinstance(failure, PortError):
            raise failure

    def _microseconds(self) -> int:
        return round(self.clock.monotonic() * 1_000_000)


def _limits_of(principal: Principal, plan: Plan) -> tuple[LimitAsked, ...]:
    # The braces keep an account on one node of a cluster, and spread the accounts.
    account = f"{{{principal.account}}}"
    asked = []
    if plan.rate_limit is not None:
        request = RateRequest(f"account:{account}", plan.rate_limit)
        asked.append(LimitAsked(request, f"the plan {plan.name}", plan.on_outage))
    if principal.key_id:
        for each in principal.limits:
            period = each.limit.period // _MICROSECOND
            request = RateRequest(f"key:{account}:{principal.key_id}:{period}", each.limit)
            asked.append(LimitAsked(request, "the key", each.on_outage))
    return tuple(asked)


def _rate_limited(refusal: RateRefusal) -> RateLimited:
    seconds = max(1, -(-refusal.retry_after // _SECOND))
    limits = " and ".join(f"{each.whose} allows {each.request.limit}" for each in refusal.over)
    return RateLimited(f"{limits}; try again in {seconds} s", retry_after=refusal.retry_after)
