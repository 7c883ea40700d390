"""The ledger's contract: captures, and the usage that they log."""

from datetime import timedelta

import pytest
from attrs import evolve

from tollkeeper.contracts.ledger_caller import Caller, LedgerSuite
from tollkeeper.contracts.samples import a_usage_event, new_id, usd
from tollkeeper.domain.errors import (
    Conflict,
    IdempotencyConflict,
    InsufficientCredit,
    InvalidRequest,
    NotFound,
)
from tollkeeper.domain.ledger import EntryKind, HoldState
from tollkeeper.domain.meters import Meter
from tollkeeper.domain.money import LARGEST_NANOS, Money
from tollkeeper.domain.usage import UsageEvent
from tollkeeper.ports.usage_log import UsageLog


def two_events(caller: Caller) -> tuple[UsageEvent, UsageEvent]:
    """Measure one call that costs 3 dollars."""
    return (
        a_usage_event(caller.account, at=caller.now, charge=usd(1)),
        a_usage_event(caller.account, at=caller.now, charge=usd(2), meter=Meter.OUTPUT_TOKENS),
    )


class LedgerCaptures(LedgerSuite):
    """Money that is taken: the fixtures are ``ledger``, and ``usage_log`` of the same store."""

    async def logged(self, usage_log: UsageLog, caller: Caller) -> set[UsageEvent]:
        """Return what the log has of the caller's account."""
        return set(await usage_log.events(account=caller.account))

    async def test_capture_takes_its_amount_and_gives_the_rest_back(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(3), purpose="chat")
        entry = await caller.later(seconds=2).capture(hold, usd(1))
        assert (entry.account, entry.sequence, entry.kind) == (caller.account, 2, EntryKind.CAPTURE)
        assert (entry.amount, entry.balance_after) == (usd(-1), usd(4))
        assert (entry.hold_id, entry.held, entry.late) == (hold.id, usd(3), False)
        assert entry.description == "chat"
        assert entry.at == caller.later(seconds=2).now
        assert (await caller.entries())[1:] == (entry,)
        assert await caller.books() == (usd(4), usd(0))

    async def test_captured_hold_says_what_was_taken(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(3), "once")
        await caller.later(seconds=2).capture(hold, usd(1))
        captured = await caller.place(usd(3), "once")
        assert captured == hold.capture(usd(1), at=caller.later(seconds=2).now)

    async def test_capture_leaves_other_holds_alone(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        await caller.place(usd(2), "other")
        await caller.capture(await caller.place(usd(3), "mine"), usd(3))
        assert await caller.books() == (usd(2), usd(2))

    async def test_capture_of_nothing_is_an_entry_of_nothing(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        entry = await caller.capture(await caller.place(usd(3)), usd(0))
        assert (entry.amount, entry.held, entry.sequence) == (usd(0), usd(3), 2)
        assert await caller.books() == (usd(5), usd(0))

    async def test_capture_of_a_hold_of_nothing(self, caller: Caller) -> None:
        entry = await caller.capture(await caller.place(usd(0)), usd(0))
        assert (entry.amount, entry.sequence) == (usd(0), 1)
        assert await caller.books() == (usd(0), usd(0))

    async def test_capture_beyond_the_hold_is_taken_whole(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        entry = await caller.capture(await caller.place(usd(1)), usd(4))
        assert (entry.amount, entry.held) == (usd(-4), usd(1))
        assert await caller.books() == (usd(1), usd(0))

    async def test_capture_beyond_the_credit_makes_a_debt(self, caller: Caller) -> None:
        await caller.grant(usd(5), "first")
        await caller.capture(await caller.place(usd(5), "too little"), usd(8))
        assert await caller.books() == (usd(-3), usd(0))
        for amount in (Money(1, "USD"), usd(0)):
            with pytest.raises(InsufficientCredit):
                await caller.place(amount, "next")
        await caller.grant(usd(4), "second")
        await caller.place(usd(1), "next")
        assert await caller.books() == (usd(1), usd(1))

    async def test_late_capture_is_taken_all_the_same(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        await caller.place(usd(1), "running", lives=timedelta(days=1))
        hold = await caller.place(usd(3), "late")
        later = caller.later(hours=1)
        await later.expire()
        entry = await later.later(hours=1).capture(hold, usd(2))
        assert (entry.late, entry.amount, entry.held) == (True, usd(-2), usd(3))
        assert await caller.books() == (usd(3), usd(1))
        assert (await caller.place(usd(3), "late")).state is HoldState.CAPTURED
        assert await later.capture(hold, usd(2)) == entry

    async def test_usage_is_logged_with_the_capture(
        self, caller: Caller, usage_log: UsageLog
    ) -> None:
        events = two_events(caller)
        await caller.grant(usd(5))
        await caller.capture(await caller.place(usd(3)), usd(3), events)
        assert await self.logged(usage_log, caller) == set(events)

    async def test_replayed_capture_returns_the_first_entry(
        self, caller: Caller, usage_log: UsageLog
    ) -> None:
        events = two_events(caller)
        await caller.grant(usd(5))
        hold = await caller.place(usd(3))
        entry = await caller.capture(hold, usd(3), events)
        await caller.grant(usd(1), "later")
        later = caller.later(days=1)
        retold = [evolve(event, occurred_at=later.now) for event in events]
        assert await later.capture(hold, usd(3), retold) == entry
        assert await self.logged(usage_log, caller) == set(events)
        assert await caller.books() == (usd(3), usd(0))

    async def test_captured_hold_is_captured_for_nothing_else(
        self, caller: Caller, usage_log: UsageLog
    ) -> None:
        first, second = events = two_events(caller)
        await caller.grant(usd(5))
        hold = await caller.place(usd(3))
        await caller.capture(hold, usd(3), events)
        for amount, usage in [
            (usd(2), events),
            (usd(3), ()),
            (usd(3), (first,)),
            (usd(3), (*events, *two_events(caller))),
            (usd(3), (first, evolve(second, quantity=second.quantity + 1))),
            (usd(3), (first, evolve(second, charge=usd(1)))),
            (usd(3), (first, evolve(second, id=new_id("event")))),
            (usd(3), (first, evolve(second, model="offline/other"))),
        ]:
            with pytest.raises(IdempotencyConflict):
                await caller.capture(hold, amount, usage)
        assert await self.logged(usage_log, caller) == set(events)
        assert await caller.books() == (usd(2), usd(0))

    async def test_unknown_hold_is_not_captured(self, caller: Caller, usage_log: UsageLog) -> None:
        with pytest.raises(NotFound):
            await caller.ledger.capture(
                hold_id=new_id("hold"),
                amount=usd(1),
                usage=two_events(caller),
                entry_id=new_id("entry"),
                at=caller.now,
            )
        assert await self.logged(usage_log, caller) == set()
        assert await caller.books() == (usd(0), usd(0))

    async def test_released_hold_is_not_captured(self, caller: Caller, usage_log: UsageLog) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(3))
        await caller.release(hold)
        with pytest.raises(Conflict):
            await caller.capture(hold, usd(3), two_events(caller))
        assert await self.logged(usage_log, caller) == set()
        assert await caller.books() == (usd(5), usd(0))

    async def test_malformed_capture_changes_nothing(
        self, caller: Caller, usage_log: UsageLog
    ) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(3))
        events = two_events(caller)
        stranger = a_usage_event(caller.of("other").account, at=caller.now, charge=usd(1))
        for amount, usage in [
            (Money(-1, "USD"), events),
            (Money.of(3, "EUR"), events),
            (usd(3), (*events, stranger)),
        ]:
            with pytest.raises(InvalidRequest):
                await caller.capture(hold, amount, usage)
        assert await self.logged(usage_log, caller) == set()
        assert await self.logged(usage_log, caller.of("other")) == set()
        assert await caller.books() == (usd(5), usd(3))
        await caller.capture(hold, usd(3), events)

    async def test_debt_beyond_64_bits_is_refused(
        self, caller: Caller, usage_log: UsageLog
    ) -> None:
        deep, deeper = await caller.place(usd(0), "deep"), await caller.place(usd(0), "deeper")
        await caller.capture(deep, Money(LARGEST_NANOS, "USD"))
        with pytest.raises(InvalidRequest):
            await caller.capture(deeper, Money(1, "USD"), two_events(caller))
        assert await self.logged(usage_log, caller) == set()
        assert await caller.books() == (Money(-LARGEST_NANOS, "USD"), usd(0))
        assert (await caller.place(usd(0), "deeper")).state is HoldState.OPEN

    async def test_event_is_charged_once_only(self, caller: Caller, usage_log: UsageLog) -> None:
        first, second = events = two_events(caller)
        await caller.grant(usd(9))
        hold, other = await caller.place(usd(3), "first"), await caller.place(usd(3), "second")
        await caller.capture(hold, usd(3), events)
        for usage in (events, (evolve(first, quantity=first.quantity + 1),)):
            with pytest.raises(IdempotencyConflict):
                await caller.capture(other, usd(3), usage)
        with pytest.raises(IdempotencyConflict):
            await caller.capture(other, usd(3), (*two_events(caller), second))
        assert await self.logged(usage_log, caller) == set(events)
        assert await caller.books() == (usd(6), usd(3))
        await caller.release(other)
