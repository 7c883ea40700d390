"""A call counts against plan, key and quota at once, and a refused one against none of them."""

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from attrs import define, field

from tests.application.limit_fakes import WatchedLimiter, WatchedQuotas, away
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.rate_limiter import MemoryRateLimiter
from tollkeeper.application.call_limits import CallLimits
from tollkeeper.domain.errors import (
    ConfigurationError,
    InvalidRequest,
    QuotaExceeded,
    RateLimited,
    Unavailable,
)
from tollkeeper.domain.key_limits import KeyLimit, Quota
from tollkeeper.domain.plans import Plan
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.rate_limits import RateLimit

pytestmark = pytest.mark.anyio
CHAT = frozenset({"chat:complete"})
FREE = Plan("free")


def caller(*limits: str, quota: str | None = None, key_id: str = "key-1") -> Principal:
    """Make who calls with a key that has *limits* and *quota*."""
    return Principal(
        account="acme",
        scopes=CHAT,
        key_id=key_id,
        limits=tuple(map(KeyLimit.parse, limits)),
        quota=None if quota is None else Quota.parse(quota),
    )


def plan(limit: str) -> Plan:
    """Make a plan that allows an account *limit*."""
    return Plan("pro", rate_limit=RateLimit.parse(limit))


@define(eq=False)
class Desk:
    """Call limits over a limiter and a counter in memory."""

    clock: MemoryClock = field(factory=MemoryClock)
    quotas: WatchedQuotas = field(factory=WatchedQuotas)
    limiter: WatchedLimiter = field(init=False)
    limits: CallLimits = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.limiter = WatchedLimiter(MemoryRateLimiter(self.clock))
        self.limits = CallLimits(self.limiter, self.quotas, self.clock)

    async def passes(self, principal: Principal, of: Plan = FREE) -> int:
        """Call until a call is refused, and return how many passed."""
        for passed in range(1000):
            try:
                await self.limits.count(principal, of)
            except (RateLimited, QuotaExceeded):
                return passed
        raise AssertionError("nothing was refused")

    async def used(self, principal: Principal) -> int:
        """Return what is counted of the quota."""
        assert principal.quota is not None
        at = self.clock.now()
        return (await self.quotas.used(principal.key_id, principal.quota, at=at)).used


@pytest.mark.parametrize(
    ("of", "limits", "text"),
    [
        (plan("2/minute"), (), "the plan pro allows 2/minute; try again in 30 s"),
        (FREE, ("2/hour",), "the key allows 2/hour; try again in 1800 s"),
        (plan("100/minute"), ("2/minute",), "the key allows 2/minute; try again in 30 s"),
        (FREE, ("2/second", "90/hour"), None),
        (
            plan("2/minute"),
            ("2/hour", "2/minute"),
            "the key allows 2/hour; try again in 1800 s",
        ),
        (
            plan("2/minute"),
            ("2/minute",),
            "the plan pro allows 2/minute and the key allows 2/minute; try again in 30 s",
        ),
    ],
)
async def test_a_refusal_names_the_limit_and_when_to_come_back(
    of: Plan, limits: tuple[str, ...], text: str | None
) -> None:
    desk = Desk()
    who = caller(*limits)
    assert await desk.passes(who, of) == 2
    with pytest.raises(RateLimited) as refused:
        await desk.limits.count(who, of)
    assert refused.value.code == "rate_limited"
    assert text is None or str(refused.value) == text
    wait = refused.value.retry_after
    assert str(math.ceil(wait.total_seconds())) in str(refused.value)
    desk.clock.advance(wait - timedelta(microseconds=1))
    with pytest.raises(RateLimited):
        await desk.limits.count(who, of)
    desk.clock.advance(timedelta(microseconds=1))
    await desk.limits.count(who, of)


async def test_a_used_up_quota_says_until_when_and_then_begins_anew() -> None:
    desk = Desk()
    who = caller(quota="2/day")
    assert await desk.passes(who) == 2
    with pytest.raises(QuotaExceeded) as refused:
        await desk.limits.count(who, FREE)
    assert str(refused.value) == (
        "the key's quota of 2/day is used up; the next day begins at 2001-01-02T00:00:00+00:00"
    )
    desk.clock.advance(datetime(2001, 1, 2, tzinfo=UTC) - desk.clock.now())
    assert await desk.passes(who) == 2


async def test_who_calls_without_a_key_has_the_limit_of_the_account_alone() -> None:
    desk = Desk()
    host = caller("1/hour", quota="1/month", key_id="")
    for _ in range(5):
        await desk.limits.count(host, FREE)
    assert (desk.limiter.questions, desk.quotas.taken) == (0, 0)
    assert await desk.passes(host, plan("3/hour")) == 3


async def test_keys_share_the_limit_of_their_account_and_no_other() -> None:
    desk = Desk()
    one, two = caller("2/minute", key_id="one"), caller("9/minute", key_id="two")
    assert await desk.passes(one, plan("5/minute")) == 2
    assert await desk.passes(two, plan("5/minute")) == 3
    other = Principal(account="other", scopes=CHAT, key_id="one", limits=one.limits)
    assert await desk.passes(other, plan("5/minute")) == 2


@pytest.mark.parametrize("who", [caller("20/hour"), caller(quota="20/month")], ids=["rate", "all"])
async def test_two_hundred_callers_get_exactly_what_is_allowed(who: Principal) -> None:
    """Admit exactly the burst to 200 callers at once (T16)."""
    desk = Desk()

    async def call() -> bool:
        await asyncio.sleep(0)
        try:
            await desk.limits.count(who, plan("50/hour"))
        except (RateLimited, QuotaExceeded):
            return False
        return True

    assert sum(await asyncio.gather(*(call() for _ in range(200)))) == 20


@pytest.mark.parametrize("limit", ["7/second", "60/minute", "11/hour", "3/day"])
async def test_steady_calls_at_the_limit_are_never_refused(limit: str) -> None:
    """Admit steady calls at the limit through ten windows, and one too many never (T16)."""
    desk = Desk()
    who = caller(limit)
    rate = who.limits[0].limit
    step = -(-(rate.period // timedelta(microseconds=1)) // rate.requests)
    assert await desk.passes(who, plan(limit)) == rate.requests
    for _ in range(10 * rate.requests):
        desk.clock.advance(timedelta(microseconds=step))
        await desk.limits.count(who, plan(limit))
        with pytest.raises(RateLimited):
            await desk.limits.count(who, plan(limit))


async def test_who_keeps_asking_costs_neither_limiter_nor_counter_anything() -> None:
    desk = Desk()
    who = caller("2/minute", quota="10/day")
    assert await desk.passes(who) == 2
    before = desk.limiter.questions, desk.quotas.taken
    for tenth in range(100):
        with pytest.raises(RateLimited) as refused:
            await desk.limits.count(who, FREE)
        assert refused.value.retry_after == timedelta(seconds=30) - tenth * timedelta(seconds=0.1)
        desk.clock.advance(timedelta(seconds=0.1))
    # Once a second it is looked whether the limiter still says so.
    assert desk.limiter.questions - before[0] == desk.quotas.taken - before[1] == 9
    assert await desk.used(who) == 2
    # Who bought more has it at once.
    await desk.limits.count(caller("60/minute", quota="10/day"), FREE)


async def test_a_quota_counter_that_is_away_lets_nobody_pass_and_counts_no_rate() -> None:
    desk = Desk()
    who = caller("2/minute:open", quota="10/day")
    desk.quotas.failure = away("quota_counter")
    for _ in range(9):
        with pytest.raises(Unavailable):
            await desk.limits.count(who, FREE)
    desk.quotas.failure = None
    assert await desk.passes(who) == 2


@pytest.mark.parametrize(
    "failure", [away("rate_limiter"), InvalidRequest("a bug"), RuntimeError("a bug")], ids=str
)
async def test_a_call_that_fails_at_the_limiter_gives_its_quota_back(failure: Exception) -> None:
    desk = Desk()
    who = caller("2/minute", quota="10/day")
    desk.limiter.failure = failure
    with pytest.raises(type(failure)) as failed:
        await desk.limits.count(who, FREE)
    assert failed.value is failure
    assert await desk.used(who) == 0


async def test_a_quota_that_cannot_be_given_back_changes_no_refusal_and_is_told() -> None:
    desk = Desk()
    who = caller("2/minute", quota="10/day")
    assert await desk.passes(who) == 2
    desk.clock.advance(timedelta(seconds=1))
    desk.quotas.gate = asyncio.Event()
    asked = asyncio.ensure_future(desk.limits.count(who, FREE))
    await asyncio.sleep(0.01)
    desk.quotas.failure = away("quota_counter")
    desk.quotas.gate.set()
    with pytest.raises(RateLimited):
        await asked
    assert desk.limits.not_given_back == 1
    assert await desk.used(who) == 3


def _cancel_task(task: "asyncio.Task[None]", _: anyio.CancelScope) -> None:
    task.cancel()


def _cancel_scope(_: "asyncio.Task[None]", scope: anyio.CancelScope) -> None:
    scope.cancel()


@pytest.mark.parametrize("cancel", [_cancel_task, _cancel_scope], ids=["asyncio", "anyio"])
@pytest.mark.parametrize("later", [False, True], ids=["in the limiter", "while giving back"])
async def test_who_leaves_gives_the_quota_back_exactly_once(
    cancel: Callable[["asyncio.Task[None]", anyio.CancelScope], None], *, later: bool
) -> None:
    desk = Desk()
    who = caller("2/minute", quota="10/day")
    desk.quotas.gate, desk.limiter.gate = asyncio.Event(), asyncio.Event()
    scope = anyio.CancelScope()

    async def call() -> None:
        with scope:
            await desk.limits.count(who, FREE)
            raise AssertionError("it passed")

    task = asyncio.ensure_future(call())
    await asyncio.sleep(0.01)
    assert await desk.used(who) == 1
    for _ in range(3 if later else 1):
        cancel(task, scope)
        await asyncio.sleep(0.01)
    assert not task.done()
    desk.quotas.gate.set()
    await asyncio.wait([task])
    assert task.cancelled() is (cancel is _cancel_task)
    assert (await desk.used(who), desk.quotas.given_back) == (0, 1)


async def test_who_leaves_while_refused_is_cancelled_and_not_told_the_refusal() -> None:
    desk = Desk()
    who = caller("2/minute", quota="10/day")
    desk.quotas.gate = asyncio.Event()
    for _ in range(2):
        await desk.limits.count(who, FREE)
    task = asyncio.ensure_future(desk.limits.count(who, FREE))
    await asyncio.sleep(0.01)
    task.cancel()
    desk.quotas.gate.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert await desk.used(who) == 2


@pytest.mark.parametrize("processes", [0, -1, 1.5, True, "2", None])
def test_limits_are_shared_by_a_whole_number_of_processes(processes: object) -> None:
    clock = MemoryClock()
    with pytest.raises(ConfigurationError):
        CallLimits(MemoryRateLimiter(clock), WatchedQuotas(), clock, processes)  # type: ignore[arg-type]  # what is refused
