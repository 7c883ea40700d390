"""The ledger's contract: callers who give up in the middle of a call."""

import asyncio
from collections.abc import Coroutine

import pytest

from tollkeeper.contracts.ledger_caller import Caller, LedgerSuite
from tollkeeper.contracts.samples import a_usage_event, usd
from tollkeeper.domain.ledger import Hold
from tollkeeper.ports.usage_log import UsageLog

MOMENTS = pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 8, 20, 60])
"""How many turns of the event loop a call gets before it is cancelled."""


async def give_up_on(call: Coroutine[object, object, object], *, after: int) -> None:
    """Start *call*, and cancel it after so many turns of the event loop."""
    task = asyncio.ensure_future(call)
    for _ in range(after):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    if not task.cancelled():
        task.result()


class LedgerCancellation(LedgerSuite):
    """A cancelled call has happened wholly or not at all, and the same call again settles it."""

    @MOMENTS
    async def test_cancelled_grant_is_whole(self, caller: Caller, ticks: int) -> None:
        await give_up_on(caller.grant(usd(5), "once"), after=ticks)
        assert await caller.books() in {(usd(0), usd(0)), (usd(5), usd(0))}
        await caller.grant(usd(5), "once")
        assert await caller.books() == (usd(5), usd(0))

    @MOMENTS
    async def test_cancelled_hold_is_whole(self, caller: Caller, ticks: int) -> None:
        await caller.grant(usd(5))
        await give_up_on(caller.place(usd(3), "once"), after=ticks)
        assert await caller.books() in {(usd(5), usd(0)), (usd(5), usd(3))}
        hold = await caller.place(usd(3), "once")
        assert await caller.books() == (usd(5), usd(3))
        await caller.release(hold)
        assert await caller.books() == (usd(5), usd(0))

    @MOMENTS
    async def test_cancelled_capture_is_whole(
        self, caller: Caller, usage_log: UsageLog, ticks: int
    ) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(3), "once")
        event = a_usage_event(caller.account, at=caller.now, charge=usd(2))
        await give_up_on(caller.capture(hold, usd(2), [event]), after=ticks)
        books = await caller.books()
        logged = await usage_log.events(account=caller.account)
        assert books in {(usd(5), usd(3)), (usd(3), usd(0))}
        assert logged in {(), (event,)}
        if books == (usd(3), usd(0)):
            assert logged == (event,)
        if logged == (event,):
            assert await caller.books() == (usd(3), usd(0))
        await caller.capture(hold, usd(2), [event])
        assert await usage_log.events(account=caller.account) == (event,)
        assert await caller.books() == (usd(3), usd(0))

    @MOMENTS
    async def test_cancelled_release_is_whole(self, caller: Caller, ticks: int) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(3))
        await give_up_on(caller.release(hold), after=ticks)
        assert await caller.books() in {(usd(5), usd(3)), (usd(5), usd(0))}
        await caller.release(hold)
        assert await caller.books() == (usd(5), usd(0))

    @MOMENTS
    async def test_cancelled_expiry_is_whole(self, caller: Caller, ticks: int) -> None:
        await caller.grant(usd(5))
        for key in ("first", "second"):
            await caller.place(usd(2), key)
        later = caller.later(hours=1)
        await give_up_on(later.expire(), after=ticks)
        assert await caller.books() in {(usd(5), usd(4)), (usd(5), usd(0))}
        await later.expire()
        assert await caller.books() == (usd(5), usd(0))

    @MOMENTS
    async def test_cancelled_callers_leave_the_others_alone(
        self, caller: Caller, ticks: int
    ) -> None:
        await caller.grant(usd(20))
        tasks = [asyncio.ensure_future(caller.place(usd(1), f"hold {n}")) for n in range(20)]
        for _ in range(ticks):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(answer, Hold) for answer in answers[1::2])
        for n in range(20):
            await caller.place(usd(1), f"hold {n}")
        assert await caller.books() == (usd(20), usd(20))
