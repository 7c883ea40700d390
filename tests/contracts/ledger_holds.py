"""The ledger's contract: placing holds and giving them back."""

from datetime import timedelta

import pytest

from tollkeeper.contracts.ledger_caller import LIFE_OF_A_HOLD, Caller, LedgerSuite
from tollkeeper.contracts.samples import ODD_TEXT, new_id, usd
from tollkeeper.domain.errors import (
    Conflict,
    IdempotencyConflict,
    InsufficientCredit,
    InvalidRequest,
    NotFound,
)
from tollkeeper.domain.ledger import Hold, HoldState
from tollkeeper.domain.money import Money


class LedgerHolds(LedgerSuite):
    """Money that is set aside, and given back by the caller."""

    async def test_hold_sets_money_aside(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        hold_id = new_id("hold")
        hold = await caller.place(usd(2), "a hold", purpose="chat", hold_id=hold_id)
        assert hold == Hold(
            id=hold_id,
            account=caller.account,
            amount=usd(2),
            idempotency_key="a hold",
            purpose="chat",
            placed_at=caller.now,
            expires_at=caller.now + LIFE_OF_A_HOLD,
        )
        assert await caller.books() == (usd(5), usd(2))

    async def test_hold_beyond_the_credit_is_refused(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        await caller.place(usd(3), "first")
        with pytest.raises(InsufficientCredit):
            await caller.place(usd(2) + Money(1, "USD"), "second")
        assert await caller.books() == (usd(5), usd(3))
        await caller.place(usd(2), "third")
        assert await caller.books() == (usd(5), usd(5))

    async def test_account_never_named_has_no_credit(self, caller: Caller) -> None:
        with pytest.raises(InsufficientCredit):
            await caller.place(Money(1, "USD"))
        assert await caller.books() == (usd(0), usd(0))

    async def test_key_of_a_refused_hold_stays_free(self, caller: Caller) -> None:
        with pytest.raises(InsufficientCredit):
            await caller.place(usd(2), "a hold", purpose="too dear")
        await caller.grant(usd(5))
        hold = await caller.place(usd(1), "a hold", purpose="cheaper")
        assert (hold.amount, hold.purpose) == (usd(1), "cheaper")
        assert await caller.books() == (usd(5), usd(1))

    async def test_id_of_a_refused_hold_stays_free(self, caller: Caller) -> None:
        hold_id = new_id("hold")
        with pytest.raises(InsufficientCredit):
            await caller.place(usd(2), "first", hold_id=hold_id)
        with pytest.raises(NotFound):
            await caller.ledger.release(hold_id=hold_id, at=caller.now)
        await caller.grant(usd(5))
        assert (await caller.place(usd(2), "second", hold_id=hold_id)).id == hold_id

    async def test_hold_of_nothing_needs_no_credit(self, caller: Caller) -> None:
        hold = await caller.place(usd(0))
        assert (hold.amount, hold.state) == (usd(0), HoldState.OPEN)
        assert await caller.books() == (usd(0), usd(0))

    async def test_replayed_hold_is_the_first_one(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        first = await caller.place(usd(3), "once")
        later = caller.later(minutes=1)
        assert await later.place(usd(3), "once", lives=timedelta(days=1)) == first
        assert await caller.books() == (usd(5), usd(3))

    async def test_replayed_hold_is_shown_as_it_stands_now(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        captured = await caller.place(usd(1), "captured")
        released = await caller.place(usd(1), "released")
        await caller.place(usd(1), "expired")
        end = caller.later(minutes=10)
        await end.capture(captured, Money(7, "USD"))
        await end.release(released)
        await end.expire()
        later = caller.later(hours=1)
        for name in ("captured", "released", "expired"):
            hold = await later.place(usd(1), name)
            assert (hold.state, hold.resolved_at, hold.placed_at) == (name, end.now, caller.now)
            assert hold.captured == (Money(7, "USD") if name == "captured" else None)
        assert await caller.books() == (usd(5) - Money(7, "USD"), usd(0))

    @pytest.mark.parametrize(
        ("amount", "purpose"),
        [(usd(2), "chat"), (Money.of(1, "EUR"), "chat"), (usd(1), "audio")],
        ids=["amount", "currency", "purpose"],
    )
    async def test_hold_key_is_not_used_for_anything_else(
        self, caller: Caller, amount: Money, purpose: str
    ) -> None:
        await caller.grant(usd(5), "dollars")
        await caller.grant(Money.of(5, "EUR"), "euros")
        hold = await caller.place(usd(1), "once", purpose="chat")
        for _ in ("open", "released"):
            with pytest.raises(IdempotencyConflict):
                await caller.place(amount, "once", purpose=purpose)
            await caller.release(hold)
        assert await caller.books() == (usd(5), usd(0))
        assert (await caller.balance("EUR")).held == Money.zero("EUR")

    async def test_grants_and_holds_have_keys_of_their_own(self, caller: Caller) -> None:
        await caller.grant(usd(5), "once")
        await caller.place(usd(2), "once")
        await caller.grant(usd(5), "once")
        assert await caller.books() == (usd(5), usd(2))

    async def test_hold_id_belongs_to_one_key(self, caller: Caller) -> None:
        other = caller.of("other")
        await caller.grant(usd(5))
        await other.grant(usd(5))
        hold = await caller.place(usd(1), "first")
        with pytest.raises(Conflict):
            await caller.place(usd(1), "second", hold_id=hold.id)
        with pytest.raises(Conflict):
            await other.place(usd(1), "first", hold_id=hold.id)
        assert await caller.books() == (usd(5), usd(1))
        assert await other.books() == (usd(5), usd(0))
        await caller.place(usd(1), "second")

    async def test_malformed_hold_is_refused(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        for amount, lives in [
            (Money(-1, "USD"), LIFE_OF_A_HOLD),
            (usd(1), timedelta(0)),
            (usd(1), -timedelta(microseconds=1)),
        ]:
            with pytest.raises(InvalidRequest):
                await caller.place(amount, "once", lives=lives)
        assert await caller.books() == (usd(5), usd(0))
        await caller.place(usd(2), "once")

    async def test_accounts_do_not_share_holds_or_keys(self, caller: Caller) -> None:
        other = caller.of("other")
        await caller.grant(usd(5))
        with pytest.raises(InsufficientCredit):
            await other.place(usd(1), "once")
        await other.grant(usd(5))
        mine = await caller.place(usd(1), "once", purpose="mine")
        theirs = await other.place(usd(2), "once", purpose="theirs")
        assert mine.id != theirs.id
        await caller.release(mine)
        assert await caller.books() == (usd(5), usd(0))
        assert await other.books() == (usd(5), usd(2))

    async def test_credit_of_one_currency_backs_no_other(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        with pytest.raises(InsufficientCredit):
            await caller.place(Money.of(1, "EUR"))
        assert await caller.books() == (usd(5), usd(0))

    async def test_texts_of_a_hold_come_back_as_given(self, caller: Caller) -> None:
        hold = await caller.place(usd(0), ODD_TEXT, purpose=ODD_TEXT)
        assert (hold.idempotency_key, hold.purpose) == (ODD_TEXT, ODD_TEXT)
        assert await caller.place(usd(0), ODD_TEXT, purpose=ODD_TEXT) == hold

    async def test_release_gives_everything_back(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(5), "first")
        released = await caller.later(minutes=1).release(hold)
        assert (released.id, released.state) == (hold.id, HoldState.RELEASED)
        assert released.resolved_at == caller.later(minutes=1).now
        assert await caller.books() == (usd(5), usd(0))
        await caller.place(usd(5), "second")

    async def test_second_release_changes_nothing(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        await caller.place(usd(1), "stays")
        hold = await caller.place(usd(2), "goes")
        released = await caller.release(hold)
        assert await caller.later(days=1).release(hold) == released
        assert await caller.books() == (usd(5), usd(1))

    async def test_captured_hold_is_not_released(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(2))
        await caller.capture(hold, usd(1))
        with pytest.raises(Conflict):
            await caller.release(hold)
        assert await caller.books() == (usd(4), usd(0))

    async def test_unknown_hold_is_not_released(self, caller: Caller) -> None:
        with pytest.raises(NotFound):
            await caller.ledger.release(hold_id=new_id("hold"), at=caller.now)
