"""The ledger's contract: attempts that come with a capture or a release.

What becomes of them is the contract of the attempt log of the same store; here is what they do to
the ledger itself, which is nothing.
"""

import pytest
from attrs import evolve

from tollkeeper.contracts.ledger_caller import Caller, LedgerSuite
from tollkeeper.contracts.samples import an_attempt, usd
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.ledger import HoldState


class LedgerAttempts(LedgerSuite):
    """Attempts are logged with money, and are no argument of the change."""

    async def test_capture_with_attempts_is_as_one_without(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(3))
        attempts = [an_attempt(caller.account, at=caller.now, number=n) for n in (1, 2)]
        entry = await caller.capture(hold, usd(1), attempts=attempts)
        assert (entry.amount, entry.held) == (usd(-1), usd(3))
        assert await caller.books() == (usd(4), usd(0))

    async def test_capture_with_other_attempts_is_a_replay(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(3))
        first = an_attempt(caller.account, at=caller.now)
        entry = await caller.capture(hold, usd(1), attempts=[first])
        for attempts in (
            [],
            [first],
            [evolve(first, cost=usd(2), error="timeout")],
            [an_attempt(caller.account, at=caller.now)],
        ):
            assert await caller.capture(hold, usd(1), attempts=attempts) == entry
        assert await caller.books() == (usd(4), usd(0))

    async def test_release_with_attempts_is_as_one_without(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(3))
        attempt = an_attempt(caller.account, at=caller.now)
        released = await caller.release(hold, attempts=[attempt])
        assert released == hold.release(at=caller.now)
        for attempts in ([], [attempt], [an_attempt(caller.account, at=caller.now)]):
            assert await caller.later(hours=1).release(hold, attempts=attempts) == released
        assert await caller.books() == (usd(5), usd(0))

    async def test_attempts_of_another_account_change_nothing(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(3), "once")
        mine = an_attempt(caller.account, at=caller.now)
        attempts = [mine, an_attempt(caller.of("other").account, at=caller.now)]
        with pytest.raises(InvalidRequest) as refused:
            await caller.capture(hold, usd(1), attempts=attempts)
        assert refused.value.code == "wrong_account"
        with pytest.raises(InvalidRequest) as refused:
            await caller.release(hold, attempts=attempts)
        assert refused.value.code == "wrong_account"
        assert await caller.books() == (usd(5), usd(3))
        assert (await caller.place(usd(3), "once")).state is HoldState.OPEN
        await caller.capture(hold, usd(1), attempts=[mine])
