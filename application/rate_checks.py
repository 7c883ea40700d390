"""Asking the rate limiter, and what becomes of each limit while it is away."""

from collections.abc import Sequence
from datetime import timedelta

from attrs import define, field, frozen

from tollkeeper.application.breakers import Breakers
from tollkeeper.application.local_buckets import LocalBuckets, step_of
from tollkeeper.domain.circuit_breaker import BreakerPolicy
from tollkeeper.domain.errors import ConfigurationError, PortError
from tollkeeper.domain.key_limits import OnOutage
from tollkeeper.domain.rate_limits import RateDecision, RateLimit, RateRequest
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.rate_limiter import RateLimiter

_PORT = "rate_limiter"
_MOST_BUCKETS = 10_000
_PAUSE = 1.0


@frozen
class LimitAsked:
    """A limit that a call counts against, *whose* it is, and what becomes of it on an outage."""

    request: RateRequest
    whose: str
    on_outage: OnOutage


@frozen
class RateRefusal:
    """After *retry_after* the same call may pass; it is *over* one of these limits."""

    retry_after: timedelta
    over: tuple[LimitAsked, ...]


def _check_processes(_: object, __: object, processes: int) -> None:
    if type(processes) is not int or processes < 1:
        raise ConfigurationError("the number of processes is 1 or more")


@define(eq=False)
class RateChecks:
    """Asks the rate limiter; while it is away, each limit's own policy holds.

    Where one limit of a call is ``closed``, the call fails. Else what is ``local`` is counted here,
    up to this process's share of it, and what is ``open`` passes. After one failure such calls
    leave the limiter alone for a second, so that it does not cost each of them its timeout; those
    that would fail do so after five in a row.
    """

    rate_limiter: RateLimiter
    clock: Clock
    processes: int = field(default=1, validator=_check_processes)
    counted_locally: int = field(default=0, init=False)
    """Calls that passed by this process's share alone."""
    passed_uncounted: int = field(default=0, init=False)
    """Calls that passed a limit that nobody counted."""
    _strict: Breakers = field(init=False)
    _lenient: Breakers = field(init=False)
    _buckets: LocalBuckets = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._strict = Breakers(BreakerPolicy(failures=5, pause=_PAUSE))
        self._lenient = Breakers(BreakerPolicy(failures=1, pause=_PAUSE))
        self._buckets = LocalBuckets(self.clock, most=_MOST_BUCKETS)

    async def check(self, asked: Sequence[LimitAsked]) -> RateRefusal | None:
        """Count one call against all of *asked*, or against none; say why if it is refused.

        Raises:
            PortError: the limiter is away, and one of the limits is closed then.
        """
        closed = any(each.on_outage is OnOutage.CLOSED for each in asked)
        try:
            decision = await self._ask([each.request for each in asked], strict=closed)
        except PortError:
            if closed:
                raise
        else:
            return _refusal(decision, asked, [each.request for each in asked])
        return self._check_here(asked)

    async def _ask(self, asked: Sequence[RateRequest], *, strict: bool) -> RateDecision:
        breakers = self._strict if strict else self._lenient
        probing = breakers.enter(_PORT, now=self.clock.monotonic(), port=_PORT)
        try:
            decision = await self.rate_limiter.take(asked)
        except PortError as error:
            now = self.clock.monotonic()
            for each in (self._strict, self._lenient):
                each.failed(_PORT, error, now=now, probing=probing and each is breakers)
            raise
        except BaseException:
            if probing:
                breakers.undecided(_PORT)
            raise
        self._strict.succeeded(_PORT)
        self._lenient.succeeded(_PORT)
        return decision

    def _check_here(self, asked: Sequence[LimitAsked]) -> RateRefusal | None:
        counted = [each for each in asked if each.on_outage is OnOutage.LOCAL]
        shares = [self._share(each.request) for each in counted]
        refusal = _refusal(self._buckets.take(shares), counted, shares)
        if refusal is None:
            self.counted_locally += bool(counted)
            self.passed_uncounted += len(counted) < len(asked)
        return refusal

    def _share(self, asked: RateRequest) -> RateRequest:
        """Return what this process may let pass of a limit: a whole number, rounded up."""
        share = RateLimit(-(-asked.limit.requests // self.processes), asked.limit.period)
        return RateRequest(asked.bucket, share)


def _refusal(
    decision: RateDecision, asked: Sequence[LimitAsked], counted: Sequence[RateRequest]
) -> RateRefusal | None:
    """Say why *asked*, of which *counted* was asked for, is refused; None if it is not."""
    if decision.allowed:
        return None
    # The limiter does not say which: none that lets a request pass sooner than this.
    over = tuple(
        each
        for each, request in zip(asked, counted, strict=True)
        if step_of(request) >= decision.retry_after
    )
    return RateRefusal(decision.retry_after, over or tuple(asked))
