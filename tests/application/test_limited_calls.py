"""Calls with keys that have limits and a quota, through a facade."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import frozen

from tests.application.limit_fakes import WatchedLimiter, WatchedQuotas
from tests.application.world import World, open_world
from tollkeeper import Plan, Principal
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.rate_limiter import MemoryRateLimiter
from tollkeeper.domain.errors import (
    DomainError,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    TollkeeperError,
    Unsupported,
)
from tollkeeper.domain.key_limits import KeyLimit, Quota
from tollkeeper.domain.messages import user
from tollkeeper.domain.rate_limits import RateLimit
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio
CHAT = frozenset({"chat:complete"})
QUOTA = Quota(5)
HELLO = [user("hello")]


@frozen
class Desk:
    """A facade whose limiter and store can be looked into."""

    world: World
    limiter: WatchedLimiter
    quotas: WatchedQuotas

    async def call(self, who: Principal, model: str = "offline/echo") -> TollkeeperError | None:
        """Make a call, and return how it ended: with None, or its error."""
        try:
            await self.world.tk.complete(who, model=model, messages=HELLO)
        except TollkeeperError as error:
            return error
        return None

    async def used(self, key_id: str) -> int:
        """Return how much of the quota is counted."""
        at = self.world.tk.complete.chat_calls.admissions.clock.now()
        return (await self.quotas.used(key_id, QUOTA, at=at)).used

    async def issue(self, *limits: str, quota: Quota | None = None) -> tuple[str, Secret]:
        """Issue a key with *limits* and *quota*, and return its id and its token."""
        issued = await self.world.tk.issue_key(
            account="acme", scopes=CHAT, limits=tuple(map(KeyLimit.parse, limits)), quota=quota
        )
        return issued.key.id, issued.token


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock, quotas = MemoryClock(), WatchedQuotas()
    limiter = WatchedLimiter(MemoryRateLimiter(clock))
    async with open_world(
        tmp_path, clock=clock, rate_limiter=limiter, quota_counter=quotas
    ) as world:
        yield Desk(world, limiter, quotas)


@pytest.mark.parametrize(
    ("limits", "quota", "refusal"),
    [(("7/hour",), None, RateLimited), ((), QUOTA, QuotaExceeded)],
    ids=["rate", "quota"],
)
async def test_both_secrets_of_a_rotated_key_have_together_what_one_had(
    desk: Desk, limits: tuple[str, ...], quota: Quota | None, refusal: type[DomainError]
) -> None:
    """Interleave both secrets of a rotated key (T10)."""
    key_id, old = await desk.issue(*limits, quota=quota)
    new = (await desk.world.tk.rotate_key(account="acme", key_id=key_id)).token
    ends = []
    for number in range(20):
        who = await desk.world.tk.authenticate_key((old, new, new)[number % 3])
        ends.append(await desk.call(who))
    allowed = 7 if quota is None else quota.calls
    assert ends[:allowed] == [None] * allowed
    assert {type(end) for end in ends[allowed:]} == {refusal}


async def test_both_secrets_at_once_get_exactly_the_limit(desk: Desk) -> None:
    """Use both secrets of a rotated key from many tasks at once (T10)."""
    key_id, old = await desk.issue("9/hour", quota=Quota(30))
    new = (await desk.world.tk.rotate_key(account="acme", key_id=key_id)).token
    callers = [await desk.world.tk.authenticate_key(token) for token in (old, new)]
    ends = await asyncio.gather(*(desk.call(callers[number % 2]) for number in range(60)))
    assert ends.count(None) == 9
    assert await desk.used(key_id) == 9


@pytest.mark.parametrize(
    ("scopes", "model", "refusal"),
    [
        ({"audio:transcribe"}, "offline/echo", PermissionDenied),
        (CHAT, "offline/other", PermissionDenied),
        (CHAT, "offline/echo", None),
    ],
    ids=["scope", "plan", "none"],
)
async def test_a_denied_call_leaves_every_counter_unchanged(
    desk: Desk, scopes: frozenset[str], model: str, refusal: type[DomainError] | None
) -> None:
    """Deny a call by scope or plan: neither limiter nor counter is asked (T18)."""
    tk = desk.world.tk
    await tk.define_plan(Plan("pro", models=["offline/echo"], rate_limit=RateLimit.parse("3/hour")))
    await tk.subscribe_account(account="acme", plan="pro")
    who = Principal("acme", scopes, "key-1", (KeyLimit.parse("4/hour"),), QUOTA)
    for _ in range(10):
        end = await desk.call(who, model)
        assert refusal is None or type(end) is refusal
    allowed = 3 if refusal is None else 0
    assert await desk.used("key-1") == allowed
    assert desk.limiter.questions == (allowed + 1 if refusal is None else 0)
    rest = Principal("acme", CHAT, "key-1", who.limits, QUOTA)
    assert [await desk.call(rest) for _ in range(4)].count(None) == 3 - allowed


async def test_a_call_without_a_price_leaves_every_counter_unchanged(desk: Desk) -> None:
    """Deny a call since its model has no price (T18)."""
    who = Principal("acme", CHAT, "key-1", (KeyLimit.parse("4/hour"),), QUOTA)
    assert isinstance(await desk.call(who, "unpriced/m"), DomainError | Unsupported)
    assert (desk.limiter.questions, await desk.used("key-1")) == (0, 0)


async def test_the_key_s_limit_and_the_plan_s_are_both_named(desk: Desk) -> None:
    _, token = await desk.issue("1/hour")
    who = await desk.world.tk.authenticate_key(token)
    assert await desk.call(who) is None
    end = await desk.call(who)
    assert isinstance(end, RateLimited)
    assert str(end) == "the key allows 1/hour; try again in 3600 s"
    assert end.retry_after == timedelta(hours=1)
