"""The ledger's contract: holds that the clock gives back."""

from datetime import timedelta

import pytest

from tollkeeper.contracts.ledger_caller import Caller, LedgerSuite
from tollkeeper.contracts.samples import usd
from tollkeeper.domain.errors import IdempotencyConflict, InsufficientCredit
from tollkeeper.domain.ledger import HoldState
from tollkeeper.domain.money import Money


class LedgerExpiry(LedgerSuite):
    """Holds whose process died, or forgot them."""

    async def test_hold_expires_when_its_time_is_up(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(2), lives=timedelta(seconds=1))
        end = caller.later(seconds=1)
        assert await end.later(microseconds=-1).expire() == ()
        assert await caller.books() == (usd(5), usd(2))
        (expired,) = await end.expire()
        assert (expired.id, expired.state, expired.resolved_at) == (
            hold.id,
            HoldState.EXPIRED,
            end.now,
        )
        assert await caller.books() == (usd(5), usd(0))

    async def test_hold_expires_once(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        await caller.place(usd(1), "stays", lives=timedelta(days=1))
        await caller.place(usd(2), "goes", lives=timedelta(seconds=1))
        end = caller.later(minutes=1)
        assert [hold.idempotency_key for hold in await end.expire()] == ["goes"]
        assert await end.later(minutes=1).expire() == ()
        assert await caller.books() == (usd(5), usd(1))

    async def test_oldest_expiry_goes_first(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        for seconds in (4, 1, 3, 0.999999, 2):
            await caller.place(usd(1), str(seconds), lives=timedelta(seconds=seconds))
        end = caller.later(minutes=1)
        pages = [await end.expire(limit=2) for _ in range(4)]
        assert [[hold.idempotency_key for hold in page] for page in pages] == [
            ["0.999999", "1"],
            ["2", "3"],
            ["4"],
            [],
        ]
        assert await caller.books() == (usd(5), usd(0))

    async def test_limit_leaves_the_rest_held(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        for seconds in (1, 2, 3):
            await caller.place(usd(1), str(seconds), lives=timedelta(seconds=seconds))
        await caller.later(minutes=1).expire(limit=2)
        assert await caller.books() == (usd(5), usd(1))

    async def test_all_currencies_expire(self, caller: Caller) -> None:
        await caller.grant(Money.of(5, "EUR"))
        await caller.place(Money.of(2, "EUR"), "euros")
        await caller.place(usd(0), "dollars")
        expired = await caller.later(hours=1).expire()
        assert {hold.idempotency_key for hold in expired} == {"euros", "dollars"}
        assert (await caller.balance("EUR")).held == Money.zero("EUR")

    async def test_expiry_of_one_account_leaves_others_alone(self, caller: Caller) -> None:
        other = caller.of("other")
        for each in (caller, other):
            await each.grant(usd(5))
            await each.place(usd(2))
        expired = await caller.later(hours=1).expire()
        assert [hold.account for hold in expired] == [caller.account]
        assert await caller.books() == (usd(5), usd(0))
        assert await other.books() == (usd(5), usd(2))

    async def test_expiry_of_all_accounts_finds_every_hold(self, caller: Caller) -> None:
        # A store in use may have holds of other runs of this suite: those are all younger.
        long_ago = caller.later(days=-366)
        callers = [long_ago, long_ago.of("other")]
        for each in callers:
            await each.grant(usd(5))
            await each.place(usd(2))
        while await caller.ledger.expire(at=long_ago.later(hours=1).now):
            pass
        for each in callers:
            assert await each.books() == (usd(5), usd(0))

    async def test_resolved_holds_do_not_expire(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        released = await caller.release(await caller.place(usd(1), "released"))
        await caller.capture(await caller.place(usd(1), "captured"), usd(1))
        later = caller.later(hours=1)
        assert await later.expire() == ()
        assert await later.place(usd(1), "released") == released
        assert await caller.books() == (usd(4), usd(0))

    async def test_expired_hold_is_released_as_it_is(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(2))
        (expired,) = await caller.later(hours=1).expire()
        assert await caller.later(hours=2).release(hold) == expired
        assert await caller.books() == (usd(5), usd(0))

    async def test_placing_frees_overdue_holds_first(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        overdue = await caller.place(usd(3), "overdue", lives=timedelta(seconds=1))
        await caller.place(usd(2), "running", lives=timedelta(days=1))
        end = caller.later(seconds=1)
        with pytest.raises(InsufficientCredit):
            await end.later(microseconds=-1).place(usd(3), "new")
        await end.place(usd(3), "new")
        assert await caller.books() == (usd(5), usd(5))
        freed = await end.later(days=1).release(overdue)
        assert (freed.state, freed.resolved_at) == (HoldState.EXPIRED, end.now)

    async def test_overdue_holds_do_not_make_credit(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        await caller.place(usd(3), "overdue")
        later = caller.later(hours=1)
        with pytest.raises(InsufficientCredit):
            await later.place(usd(5) + Money(1, "USD"), "new")
        await later.place(usd(5), "new")
        await later.expire()
        assert await caller.books() == (usd(5), usd(5))

    async def test_replay_of_an_overdue_hold_finds_it_expired(self, caller: Caller) -> None:
        # The caller died with the hold open, and asks again: nothing is set aside for it.
        await caller.grant(usd(5))
        first = await caller.place(usd(3), "crashed", lives=timedelta(seconds=1))
        await caller.place(usd(1), "running", lives=timedelta(days=1))
        end = caller.later(seconds=1)
        assert await end.later(microseconds=-1).place(usd(3), "crashed") == first
        replayed = await end.place(usd(3), "crashed")
        assert (replayed.id, replayed.state, replayed.resolved_at, replayed.expires_at) == (
            first.id,
            HoldState.EXPIRED,
            end.now,
            first.expires_at,
        )
        assert await caller.books() == (usd(5), usd(1))
        assert await end.later(hours=1).place(usd(3), "crashed") == replayed

    async def test_replay_frees_other_overdue_holds_too(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        running = await caller.place(usd(1), "running", lives=timedelta(days=1))
        await caller.place(usd(3), "overdue", lives=timedelta(seconds=1))
        assert await caller.later(minutes=1).place(usd(1), "running") == running
        assert await caller.books() == (usd(5), usd(1))

    async def test_overdue_key_is_not_used_for_anything_else(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        await caller.grant(Money.of(5, "EUR"), "euros")
        await caller.place(usd(3), "overdue", lives=timedelta(seconds=1))
        later = caller.later(minutes=1)
        for amount in (usd(2), Money.of(3, "EUR")):
            with pytest.raises(IdempotencyConflict):
                await later.place(amount, "overdue")
        assert await caller.books() == (usd(5), usd(3))
        assert (await caller.balance("EUR")).held == Money.zero("EUR")
