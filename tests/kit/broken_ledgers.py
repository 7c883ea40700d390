"""Ledgers with one fault each, for the ledger's suite to find.

Each is the memory ledger but for one method. They bend its database, which a sound adapter would
not need to.
"""

import asyncio
from datetime import datetime
from typing import Any

from attrs import evolve

from tollkeeper.adapters.memory.ledger import MemoryLedger
from tollkeeper.domain.errors import Conflict, IdempotencyConflict, InsufficientCredit, NotFound
from tollkeeper.domain.ledger import Balance, Entry, Hold, HoldState
from tollkeeper.domain.money import LARGEST_NANOS, Money


def _hold(call: dict[str, Any]) -> Hold:
    """The hold that a call of place_hold asks for."""
    return Hold(
        call["hold_id"],
        call["account"],
        call["amount"],
        call["idempotency_key"],
        call["purpose"],
        call["at"],
        call["expires_at"],
    )


class RacyPlacing(MemoryLedger):
    """Looks at the balance, and acts on what it saw a moment later."""

    async def place_hold(self, **call: Any) -> Hold:
        hold = _hold(call)
        purse = (hold.account, hold.amount.currency)
        if (hold.account, hold.idempotency_key) in self.database.hold_of_key:
            return await super().place_hold(**call)
        self.database.balance(*purse).with_hold(hold.amount)
        await asyncio.sleep(0)
        balance = self.database.balance(*purse)
        self.database.balances[purse] = evolve(balance, held=balance.held + hold.amount)
        self.database.hold_of_key[hold.account, hold.idempotency_key] = hold.id
        self.database.holds[hold.id] = self.database.open_holds[purse][hold.id] = hold
        return hold


class RacyGrant(MemoryLedger):
    """Looks for the key, and writes a moment later."""

    async def grant(self, *, account: str, idempotency_key: str, **call: Any) -> Entry:
        new = (account, idempotency_key) not in self.database.grants
        await asyncio.sleep(0)
        if new:
            self.database.grants.pop((account, idempotency_key), None)
        return await super().grant(account=account, idempotency_key=idempotency_key, **call)


class ForgetfulGrants(MemoryLedger):
    """Knows no grant's key a second time."""

    async def grant(self, *, account: str, idempotency_key: str, **call: Any) -> Entry:
        self.database.grants.pop((account, idempotency_key), None)
        return await super().grant(account=account, idempotency_key=idempotency_key, **call)


class ForgetfulHolds(MemoryLedger):
    """Knows no hold's key a second time."""

    async def place_hold(self, **call: Any) -> Hold:
        self.database.hold_of_key.pop((call["account"], call["idempotency_key"]), None)
        return await super().place_hold(**call)


class TrustingReplays(MemoryLedger):
    """Takes any call with a known key for a replay."""

    async def grant(self, *, account: str, idempotency_key: str, **call: Any) -> Entry:
        try:
            return await super().grant(account=account, idempotency_key=idempotency_key, **call)
        except IdempotencyConflict:
            return self.database.grants[account, idempotency_key]

    async def place_hold(self, **call: Any) -> Hold:
        try:
            return await super().place_hold(**call)
        except IdempotencyConflict:
            key = (call["account"], call["idempotency_key"])
            return self.database.holds[self.database.hold_of_key[key]]

    async def capture(self, *, hold_id: str, **call: Any) -> Entry:
        try:
            return await super().capture(hold_id=hold_id, **call)
        except IdempotencyConflict:
            return self.database.captures[hold_id][0]


class StaleReplays(MemoryLedger):
    """Replays a hold as it was when it was placed."""

    async def place_hold(self, **call: Any) -> Hold:
        hold = await super().place_hold(**call)
        return evolve(hold, state=HoldState.OPEN, captured=None, resolved_at=None)


class EagerKeys(MemoryLedger):
    """Claims the key before it knows whether the hold can be placed."""

    claimed: dict[tuple[str, str], tuple[Money, str]] = {}  # noqa: RUF012 - no account is used twice

    async def place_hold(self, **call: Any) -> Hold:
        asked = (call["amount"], call["purpose"])
        key = (call["account"], call["idempotency_key"])
        if self.claimed.setdefault(key, asked) != asked:
            raise IdempotencyConflict("the key was used for another hold")
        return await super().place_hold(**call)


class SharedKeys(MemoryLedger):
    """Takes one account's key for another's."""

    async def grant(self, *, account: str, idempotency_key: str, **call: Any) -> Entry:
        for (_, key), entry in self.database.grants.items():
            if key == idempotency_key:
                return entry
        return await super().grant(account=account, idempotency_key=idempotency_key, **call)

    async def place_hold(self, **call: Any) -> Hold:
        for (_, key), hold_id in self.database.hold_of_key.items():
            if key == call["idempotency_key"]:
                return self.database.holds[hold_id]
        return await super().place_hold(**call)


class OneKeySpace(MemoryLedger):
    """Lets no hold have the key of a grant."""

    async def place_hold(self, **call: Any) -> Hold:
        if (call["account"], call["idempotency_key"]) in self.database.grants:
            raise IdempotencyConflict("the key was used for a grant")
        return await super().place_hold(**call)


class CurrencyBlind(MemoryLedger):
    """Lets dollars back a hold of euros."""

    async def place_hold(self, *, amount: Money, **call: Any) -> Hold:
        return await super().place_hold(amount=evolve(amount, currency="USD"), **call)


class SwallowedErrors(MemoryLedger):
    """Says that all went well, whatever happened."""

    async def place_hold(self, **call: Any) -> Hold:
        try:
            return await super().place_hold(**call)
        except (InsufficientCredit, Conflict):
            return _hold(call)

    async def release(self, *, hold_id: str, at: datetime, **call: Any) -> Hold:
        try:
            return await super().release(hold_id=hold_id, at=at, **call)
        except (NotFound, Conflict):
            epoch = datetime.fromtimestamp(0, at.tzinfo)
            return Hold(hold_id, "", Money.zero("USD"), "", "", epoch, at)


class Saturating(MemoryLedger):
    """Cuts a balance that does not fit to one that does."""

    async def grant(self, *, account: str, amount: Money, **call: Any) -> Entry:
        posted = self.database.balance(account, amount.currency).posted.nanos
        least = min(amount.nanos, LARGEST_NANOS - posted)
        return await super().grant(account=account, amount=evolve(amount, nanos=least), **call)


class FloatingPoint(MemoryLedger):
    """Counts with floats."""

    async def grant(self, *, amount: Money, **call: Any) -> Entry:
        nanos = min(int(float(amount.nanos)), LARGEST_NANOS)
        return await super().grant(amount=evolve(amount, nanos=nanos), **call)


class PlainText(MemoryLedger):
    """Keeps what fits ASCII."""

    async def grant(self, *, description: str = "", **call: Any) -> Entry:
        plain = description.encode("ascii", "ignore").decode()
        return await super().grant(description=plain, **call)

    async def place_hold(self, *, purpose: str, **call: Any) -> Hold:
        plain = purpose.encode("ascii", "ignore").decode()
        return await super().place_hold(purpose=plain, **call)


class PagesOffByOne(MemoryLedger):
    """Begins a page with the last entry of the one before."""

    async def entries(self, *, after: int = 0, **call: Any) -> tuple[Entry, ...]:
        return await super().entries(after=max(after - 1, 0), **call)


class PlacingForgetsOverdue(MemoryLedger):
    """Leaves it to others to free what is overdue."""

    async def place_hold(self, **call: Any) -> Hold:
        purse = (call["account"], call["amount"].currency)
        others = self.database.open_holds.pop(purse, {})
        try:
            return await super().place_hold(**call)
        finally:
            self.database.open_holds[purse].update(others)


class TornPlacing(MemoryLedger):
    """Sets the money aside, and writes down for what a moment later."""

    async def place_hold(self, **call: Any) -> Hold:
        hold = await super().place_hold(**call)
        key = (hold.account, hold.idempotency_key)
        if hold.id == call["hold_id"] and self.database.hold_of_key.pop(key):
            await asyncio.sleep(0)
            self.database.hold_of_key[key] = hold.id
        return hold


class SharedFailure(MemoryLedger):
    """Fails everyone whose call was under way when one was cancelled, as a torn batch would."""

    cancelled: set[asyncio.Task[Any] | None] = set()  # noqa: RUF012 - no account is used twice

    async def place_hold(self, **call: Any) -> Hold:
        before = len(self.cancelled)
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled.add(asyncio.current_task())
            raise
        if len(self.cancelled) > before:
            raise InsufficientCredit("the batch was lost")
        return await super().place_hold(**call)


class BalanceLags(MemoryLedger):
    """Says what was posted before the last entry."""

    async def balance(self, *, account: str, currency: str) -> Balance:
        balance = await super().balance(account=account, currency=currency)
        entries = self.database.entries.get((account, currency), [])
        return evolve(balance, posted=balance.posted - entries[-1].amount) if entries else balance
