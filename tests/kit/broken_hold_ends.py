"""Ledgers that end holds wrongly, for the ledger's suite to find.

Each is the memory ledger but for one method. They bend its database, which a sound adapter would
not need to.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tollkeeper.adapters.memory.ledger import MemoryLedger
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.errors import Conflict, IdempotencyConflict
from tollkeeper.domain.ledger import Entry, Hold, HoldState
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent


class RacyCapture(MemoryLedger):
    """Looks at the hold, and acts on what it saw a moment later."""

    async def capture(self, *, hold_id: str, **call: Any) -> Entry:
        seen = self.database.holds.get(hold_id)
        await asyncio.sleep(0)
        if seen is not None:
            self.database.holds[hold_id] = seen
        return await super().capture(hold_id=hold_id, **call)


class CaptureForgetsUsage(MemoryLedger):
    """Takes the money and logs nothing."""

    async def capture(self, *, usage: Sequence[UsageEvent], **call: Any) -> Entry:
        return await super().capture(usage=(), **call)


class UsageLoggedFirst(MemoryLedger):
    """Logs the usage before it knows whether the capture is allowed."""

    async def capture(self, *, usage: Sequence[UsageEvent], **call: Any) -> Entry:
        entry = None
        try:
            entry = await super().capture(usage=usage, **call)
        finally:
            if entry is None:
                for event in usage:
                    self.database.log(event)
        return entry


class UsageChargedTwice(MemoryLedger):
    """Passes over events that another capture has charged, and takes the money again."""

    async def capture(self, *, usage: Sequence[UsageEvent], **call: Any) -> Entry:
        if self.database.holds[call["hold_id"]].state is HoldState.OPEN:
            usage = [event for event in usage if self.database.event(event.id) is None]
        return await super().capture(usage=usage, **call)


class AnyonesUsage(MemoryLedger):
    """Drops the usage of other accounts without a word."""

    async def capture(self, *, hold_id: str, usage: Sequence[UsageEvent], **call: Any) -> Entry:
        hold = self.database.holds.get(hold_id)
        usage = [event for event in usage if hold is None or event.account == hold.account]
        return await super().capture(hold_id=hold_id, usage=usage, **call)


class CaptureNoMoreThanHeld(MemoryLedger):
    """Gives away what exceeds the hold."""

    async def capture(self, *, hold_id: str, amount: Money, **call: Any) -> Entry:
        hold = self.database.holds.get(hold_id)
        if hold is not None and hold.amount.currency == amount.currency:
            amount = min(amount, hold.amount, key=lambda money: money.nanos)
        return await super().capture(hold_id=hold_id, amount=amount, **call)


class LateCaptureRefused(MemoryLedger):
    """Gives away what comes late."""

    async def capture(self, *, hold_id: str, **call: Any) -> Entry:
        hold = self.database.holds.get(hold_id)
        if hold is not None and hold.state is HoldState.EXPIRED:
            raise Conflict("the hold is expired")
        return await super().capture(hold_id=hold_id, **call)


class LateCaptureFreesTwice(MemoryLedger):
    """Gives an expired hold back once more when it is captured."""

    async def capture(self, *, hold_id: str, **call: Any) -> Entry:
        hold = self.database.holds.get(hold_id)
        entry = await super().capture(hold_id=hold_id, **call)
        if hold is not None and hold.state is HoldState.EXPIRED:
            self._free(hold)
        return entry

    def _free(self, hold: Hold) -> None:
        purse = (hold.account, hold.amount.currency)
        self.database.balances[purse] = self.database.balance(*purse).without_hold(hold.amount)


class ReleaseForgetsHold(MemoryLedger):
    """Marks the hold and keeps the money set aside."""

    async def release(self, **call: Any) -> Hold:
        held = dict(self.database.balances)
        released = await super().release(**call)
        self.database.balances.update(held)
        return released


class ReleaseFreesTwice(LateCaptureFreesTwice):
    """Gives back again what was given back."""

    async def release(self, *, hold_id: str, **call: Any) -> Hold:
        hold = self.database.holds.get(hold_id)
        released = await super().release(hold_id=hold_id, **call)
        if hold is not None and hold.state is not HoldState.OPEN:
            self._free(hold)
        return released


class ExpiryTooLate(MemoryLedger):
    """Lets a hold live for a moment too long."""

    async def expire(self, *, at: datetime, **call: Any) -> tuple[Hold, ...]:
        return await super().expire(at=at - timedelta(microseconds=1), **call)


class ExpiryOfEveryone(MemoryLedger):
    """Expires every account's holds, whoever was named."""

    async def expire(
        self, *, at: datetime, account: str | None = None, limit: int = 1000
    ) -> tuple[Hold, ...]:
        return await super().expire(at=at, limit=limit)


class ExpiryInAnyOrder(MemoryLedger):
    """Expires the youngest first."""

    async def expire(
        self, *, at: datetime, account: str | None = None, limit: int = 1000
    ) -> tuple[Hold, ...]:
        overdue = [
            hold
            for hold in reversed(self.database.holds.values())
            if hold.is_overdue(at) and account in (None, hold.account)
        ]
        return self._expire(overdue[:limit], at)


class ExpiryBeyondLimit(MemoryLedger):
    """Expires everything at once."""

    async def expire(self, *, limit: int = 1000, **call: Any) -> tuple[Hold, ...]:
        return await super().expire(**call)


class ReplayKeepsOverdue(MemoryLedger):
    """Looks the key up before it frees what is overdue."""

    async def place_hold(self, **call: Any) -> Hold:
        first_id = self.database.hold_of_key.get((call["account"], call["idempotency_key"]))
        first = self.database.holds.get(first_id or "")
        if first is None or (first.amount, first.purpose) != (call["amount"], call["purpose"]):
            return await super().place_hold(**call)
        return first


class ReplayForgetsHeld(MemoryLedger):
    """Says that a replayed hold is expired, and keeps its money set aside."""

    async def place_hold(self, **call: Any) -> Hold:
        balances = dict(self.database.balances)
        hold = await super().place_hold(**call)
        if hold.id != call["hold_id"]:
            self.database.balances.update(balances)
        return hold


class TornCapture(MemoryLedger):
    """Takes the money, and logs the usage a moment later."""

    async def capture(self, *, hold_id: str, usage: Sequence[UsageEvent], **call: Any) -> Entry:
        if hold_id in self.database.captures:
            return await super().capture(hold_id=hold_id, usage=usage, **call)
        entry = await super().capture(hold_id=hold_id, usage=(), **call)
        self.database.captures[hold_id] = (entry, {event.id: event for event in usage})
        await asyncio.sleep(0)
        for event in usage:
            self.database.log(event)
        return entry


class AttemptsAreArguments(MemoryLedger):
    """Takes the same call with other attempts for another call."""

    async def capture(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Entry:
        self._refuse_others(attempts, call["hold_id"])
        return await super().capture(attempts=attempts, **call)

    async def release(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Hold:
        self._refuse_others(attempts, call["hold_id"])
        return await super().release(attempts=attempts, **call)

    def _refuse_others(self, attempts: Sequence[Attempt], hold_id: str) -> None:
        hold = self.database.holds[hold_id]
        logged = self.database.attempts_of.get(hold.account, [])
        if hold.state is not HoldState.OPEN and list(attempts) != logged:
            raise IdempotencyConflict("the hold was ended with other attempts")


class AttemptsAreCharged(MemoryLedger):
    """Takes what the attempts cost on top."""

    async def capture(
        self, *, amount: Money, attempts: Sequence[Attempt] = (), **call: Any
    ) -> Entry:
        for attempt in attempts:
            amount += attempt.cost
        return await super().capture(amount=amount, attempts=attempts, **call)


class AttemptsKeepTheHold(ReleaseForgetsHold):
    """Keeps the money of a release that brings attempts, which someone may have to pay."""

    async def release(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Hold:
        if attempts:
            return await super().release(attempts=attempts, **call)
        return await MemoryLedger.release(self, **call)


class AnyonesAttempts(MemoryLedger):
    """Drops the attempts of other accounts without a word."""

    async def capture(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Entry:
        return await super().capture(attempts=self._own(attempts, call["hold_id"]), **call)

    async def release(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Hold:
        return await super().release(attempts=self._own(attempts, call["hold_id"]), **call)

    def _own(self, attempts: Sequence[Attempt], hold_id: str) -> list[Attempt]:
        hold = self.database.holds.get(hold_id)
        return [each for each in attempts if hold is None or each.account == hold.account]
