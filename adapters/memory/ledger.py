"""A ledger in the memory of the process."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from attrs import field, frozen

from tollkeeper.adapters.memory.database import MemoryDatabase, distinct
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.errors import Conflict, IdempotencyConflict, InvalidRequest, NotFound
from tollkeeper.domain.ledger import Balance, Entry, EntryKind, Hold, HoldState
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent


@frozen
class MemoryLedger:
    """Keeps holds, entries and balances in *database*."""

    database: MemoryDatabase = field(factory=MemoryDatabase)

    async def grant(
        self,
        *,
        account: str,
        amount: Money,
        idempotency_key: str,
        entry_id: str,
        at: datetime,
        description: str = "",
    ) -> Entry:
        """Add credit."""
        if amount.nanos <= 0:
            raise InvalidRequest("a grant must be positive", code="invalid_amount")
        first = self.database.grants.get((account, idempotency_key))
        if first is not None:
            if (first.amount, first.description) != (amount, description):
                raise IdempotencyConflict("the key was used for another grant")
            return first
        after = self.database.balance(account, amount.currency).posting(amount)
        entry = Entry(
            id=entry_id,
            account=account,
            sequence=after.sequence,
            kind=EntryKind.GRANT,
            amount=amount,
            balance_after=after.posted,
            at=at,
            description=description,
            idempotency_key=idempotency_key,
        )
        self.database.grants[account, idempotency_key] = entry
        self._post(entry, after)
        return entry

    async def place_hold(
        self,
        *,
        hold_id: str,
        account: str,
        amount: Money,
        purpose: str,
        idempotency_key: str,
        expires_at: datetime,
        at: datetime,
    ) -> Hold:
        """Set money aside if it is there."""
        hold = Hold(hold_id, account, amount, idempotency_key, purpose, at, expires_at)
        purse = (account, amount.currency)
        overdue = self.database.overdue(purse, at)
        first_id = self.database.hold_of_key.get((account, idempotency_key))
        if first_id is not None:
            if not hold.is_replay_of(self.database.holds[first_id]):
                raise IdempotencyConflict("the key was used for another hold")
            # The first hold may be overdue itself: no caller may take it for one that runs.
            self._expire(overdue, at)
            return self.database.holds[first_id]
        if hold_id in self.database.holds:
            raise Conflict("the hold's id is taken", code="hold_id_taken")
        balance = self.database.balance(*purse)
        for each in overdue:
            balance = balance.without_hold(each.amount)
        balance = balance.with_hold(amount)
        self._expire(overdue, at)
        self.database.opened(hold)
        self.database.balances[purse] = balance
        return hold

    async def capture(
        self,
        *,
        hold_id: str,
        amount: Money,
        usage: Sequence[UsageEvent],
        entry_id: str,
        at: datetime,
        attempts: Sequence[Attempt] = (),
    ) -> Entry:
        """Take money for a hold, and log the usage and the attempts."""
        hold = self._hold(hold_id)
        attempts = tuple(attempts)
        _check_owner(attempts, hold)
        events = distinct(usage)
        if hold.state is HoldState.CAPTURED:
            entry, logged = self.database.captures[hold_id]
            if hold.captured != amount or not _same_measurements(events, logged):
                raise IdempotencyConflict("the hold was captured for another amount or usage")
            self.database.log_attempts(attempts)
            return entry
        captured = hold.capture(amount, at=at)
        for event in events.values():
            if event.account != hold.account:
                raise InvalidRequest("usage and hold must be of one account", code="wrong_account")
            if event.id in self.database.owner_of_event:
                raise IdempotencyConflict("an event of the usage is logged already")
        after = self._without(hold).posting(-amount)
        entry = Entry(
            id=entry_id,
            account=hold.account,
            sequence=after.sequence,
            kind=EntryKind.CAPTURE,
            amount=-amount,
            balance_after=after.posted,
            at=at,
            description=hold.purpose,
            hold_id=hold_id,
            held=hold.amount,
            late=hold.state is HoldState.EXPIRED,
        )
        self._resolve(captured)
        self.database.captures[hold_id] = (entry, events)
        for event in events.values():
            self.database.log(event)
        self.database.log_attempts(attempts)
        self._post(entry, after)
        return entry

    async def release(
        self, *, hold_id: str, at: datetime, attempts: Sequence[Attempt] = ()
    ) -> Hold:
        """Give a hold back, and log the attempts."""
        hold = self._hold(hold_id)
        attempts = tuple(attempts)
        _check_owner(attempts, hold)
        released = hold.release(at=at)
        self.database.log_attempts(attempts)
        self.database.balances[hold.account, hold.amount.currency] = self._without(hold)
        self._resolve(released)
        return released

    async def expire(
        self, *, at: datetime, account: str | None = None, limit: int = 1000
    ) -> tuple[Hold, ...]:
        """Give overdue holds back."""
        overdue = [
            hold
            for (owner, _), holds in self.database.open_holds.items()
            if account in (None, owner)
            for hold in holds.values()
            if hold.is_overdue(at)
        ]
        overdue.sort(key=lambda hold: hold.expires_at)
        return self._expire(overdue[:limit], at)

    async def balance(self, *, account: str, currency: str) -> Balance:
        """Return what the account has."""
        return self.database.balance(account, currency)

    async def entries(
        self, *, account: str, currency: str, after: int = 0, limit: int = 100
    ) -> tuple[Entry, ...]:
        """Return entries by sequence, which is their place in the list."""
        return tuple(self.database.entries.get((account, currency), [])[after : after + limit])

    def _hold(self, hold_id: str) -> Hold:
        hold = self.database.holds.get(hold_id)
        if hold is None:
            raise NotFound("no such hold", code="hold_not_found")
        return hold

    def _without(self, hold: Hold) -> Balance:
        """Return the balance with *hold*'s amount given back, if it is set aside still."""
        balance = self.database.balance(hold.account, hold.amount.currency)
        return balance.without_hold(hold.amount) if hold.state is HoldState.OPEN else balance

    def _expire(self, holds: Iterable[Hold], at: datetime) -> tuple[Hold, ...]:
        expired = []
        for hold in holds:
            self.database.balances[hold.account, hold.amount.currency] = self._without(hold)
            expired.append(hold.expire(at=at))
            self._resolve(expired[-1])
        return tuple(expired)

    def _resolve(self, hold: Hold) -> None:
        self.database.open_holds[hold.account, hold.amount.currency].pop(hold.id, None)
        self.database.holds[hold.id] = hold

    def _post(self, entry: Entry, after: Balance) -> None:
        purse = (entry.account, entry.amount.currency)
        self.database.entries[purse].append(entry)
        self.database.balances[purse] = after


def _check_owner(attempts: Iterable[Attempt], hold: Hold) -> None:
    for attempt in attempts:
        if attempt.account != hold.account:
            raise InvalidRequest("attempts and hold must be of one account", code="wrong_account")


def _same_measurements(some: dict[str, UsageEvent], others: dict[str, UsageEvent]) -> bool:
    return some.keys() == others.keys() and all(
        event.same_measurement(others[event_id]) for event_id, event in some.items()
    )
