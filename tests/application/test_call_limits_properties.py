"""Whatever is asked in whatever order: limits hold, and what is refused is counted nowhere."""

from datetime import timedelta

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from tests.application.virtual_time import in_virtual_time
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.quota_counter import MemoryQuotaCounter
from tollkeeper.adapters.memory.rate_limiter import MemoryRateLimiter
from tollkeeper.application.call_limits import CallLimits
from tollkeeper.domain.errors import QuotaExceeded, RateLimited
from tollkeeper.domain.key_limits import KeyLimit, Quota, QuotaPeriod
from tollkeeper.domain.plans import Plan
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.rate_limits import RateLimit, RateRequest, decide

PERIODS = [timedelta(seconds=1), timedelta(seconds=7), timedelta(minutes=1), timedelta(hours=1)]
MICROSECOND = timedelta(microseconds=1)


@frozen
class Call:
    """The caller of that number calls, *after* a while."""

    caller: int
    after: timedelta


RATE_LIMITS = st.builds(RateLimit, st.integers(1, 6), st.sampled_from(PERIODS))
KEY_LIMITS = st.lists(RATE_LIMITS, max_size=3, unique_by=lambda limit: limit.period)
QUOTAS = st.none() | st.builds(Quota, st.integers(1, 8), st.sampled_from(list(QuotaPeriod)))
PLANS = st.builds(Plan, st.just("pro"), rate_limit=st.none() | RATE_LIMITS)
KEYS = st.lists(st.tuples(KEY_LIMITS, QUOTAS), min_size=1, max_size=3)
PAUSES = st.sampled_from([0, 0, 0, 0.1, 1, 3, 61, 3700, 90_000]).map(
    lambda seconds: timedelta(seconds=seconds)
)
CALLS = st.lists(st.builds(Call, st.integers(0, 2), PAUSES), max_size=60)


class Model:
    """Counts by the book: a call counts everywhere, or nowhere."""

    def __init__(self) -> None:
        self.arrivals: dict[str, int] = {}
        self.used: dict[tuple[str, Quota, object], int] = {}

    def call(self, who: Principal, plan: Plan, clock: MemoryClock) -> str:
        """Count a call, and say how it ends."""
        limits = {f"key {who.key_id} {each.limit.period}": each.limit for each in who.limits}
        if plan.rate_limit is not None:
            limits["account"] = plan.rate_limit
        asked = [RateRequest(bucket, limit) for bucket, limit in limits.items()]
        arrivals = [self.arrivals.get(bucket, 0) for bucket in limits]
        now = round(clock.monotonic() * 1_000_000)
        decision, moved = decide(asked, arrivals, now=now)
        left = True
        if who.quota is not None:
            period = who.key_id, who.quota, who.quota.starts(clock.now())
            left = self.used.get(period, 0) < who.quota.calls
            self.used[period] = self.used.get(period, 0) + (left and decision.allowed)
        if decision.allowed and left:
            self.arrivals.update(zip(limits, moved, strict=True))
        return "passed" if decision.allowed and left else "refused"


@given(KEYS, PLANS, CALLS)
@in_virtual_time
async def test_a_refused_call_leaves_every_counter_unchanged(
    keys: list[tuple[list[RateLimit], Quota | None]], plan: Plan, calls: list[Call]
) -> None:
    """Refuse by plan, key or quota, in any order: nothing is consumed (T18)."""
    clock, quotas, model = MemoryClock(), MemoryQuotaCounter(), Model()
    limits = CallLimits(MemoryRateLimiter(clock), quotas, clock)
    callers = [
        Principal("acme", frozenset({"chat:complete"}), f"key-{n}", list(map(KeyLimit, own)), quota)
        for n, (own, quota) in enumerate(keys)
    ]
    for call in calls:
        clock.advance(call.after)
        who = callers[call.caller % len(callers)]
        try:
            await limits.count(who, plan)
            end = "passed"
        except (RateLimited, QuotaExceeded):
            end = "refused"
        # A counter that a refusal moved would answer some later call otherwise than the model.
        assert end == model.call(who, plan, clock)
        for each in callers:
            if each.quota is not None:
                use = await quotas.used(each.key_id, each.quota, at=clock.now())
                assert use.used == model.used.get((each.key_id, each.quota, use.since), 0)


@given(
    st.lists(st.booleans(), min_size=30, max_size=60),
    RATE_LIMITS,
    st.builds(Quota, st.integers(1, 12)),
)
@in_virtual_time
async def test_both_secrets_of_a_key_have_one_limit_and_one_quota(
    olds: list[bool], limit: RateLimit, quota: Quota
) -> None:
    """Interleave the secrets of a rotated key: together they have what one had (T10)."""
    clock = MemoryClock()
    limits = CallLimits(MemoryRateLimiter(clock), MemoryQuotaCounter(), clock)
    scopes = frozenset({"chat:complete"})
    old = Principal("acme", scopes, "key-1", (KeyLimit(limit),), quota)
    new = Principal("acme", scopes, "key-1", (KeyLimit(limit),), quota)
    admitted = 0
    for is_old in olds:
        try:
            await limits.count(old if is_old else new, Plan("free"))
            admitted += 1
        except (RateLimited, QuotaExceeded):
            pass
    assert admitted == min(limit.requests, quota.calls)
