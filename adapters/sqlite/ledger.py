"""Who has how much, in SQLite."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from tollkeeper.adapters.sqlite.attempts import append_attempts
from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.entries import (
    capture_of,
    entries_of,
    grant_by_key,
    insert_entry,
)
from tollkeeper.adapters.sqlite.holds import (
    balance_of,
    before_placing,
    hold_by_id,
    insert_hold,
    overdue_holds,
    resolve_hold,
    save_balance,
)
from tollkeeper.adapters.sqlite.rows import to_micros
from tollkeeper.adapters.sqlite.usage_events import append_captured, were_captured
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.errors import IdempotencyConflict, InvalidRequest
from tollkeeper.domain.ledger import Balance, Entry, EntryKind, Hold, HoldState
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent

_EVERY_ONE = 2**31


class SqliteLedger:
    """Keeps each account's money in one file; the rules are those of the domain's ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        """Add *amount* of credit."""
        if amount.nanos <= 0:
            raise InvalidRequest("a grant must be positive", code="invalid_amount")

        def change(connection: sqlite3.Connection) -> Entry:
            first = grant_by_key(connection, account, idempotency_key)
            if first is not None:
                if (first.amount, first.description) != (amount, description):
                    raise IdempotencyConflict("the key was used for another grant")
                return first
            balance = balance_of(connection, account, amount.currency).posting(amount)
            entry = Entry(
                id=entry_id,
                account=account,
                sequence=balance.sequence,
                kind=EntryKind.GRANT,
                amount=amount,
                balance_after=balance.posted,
                at=at,
                description=description,
                idempotency_key=idempotency_key,
            )
            insert_entry(connection, entry)
            save_balance(connection, balance)
            return entry

        return await self._database.change(change)

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
        """Set *amount* aside until *expires_at*, if that much is available."""
        hold = Hold(
            id=hold_id,
            account=account,
            amount=amount,
            idempotency_key=idempotency_key,
            purpose=purpose,
            placed_at=at,
            expires_at=expires_at,
        )

        def change(connection: sqlite3.Connection) -> Hold:
            first_id, overdue, balance = before_placing(connection, hold)
            if first_id is not None:
                first, _ = hold_by_id(connection, first_id)
                if not first.is_replay_of(hold):
                    raise IdempotencyConflict("the key was used for another hold")
                if not overdue:
                    return first
            if overdue:
                for each in overdue_holds(connection, at=at, account=account, limit=_EVERY_ONE):
                    if each.amount.currency == amount.currency:
                        balance = balance.without_hold(each.amount)
                        resolve_hold(connection, each.expire(at=at))
            if first_id is not None:
                # The first hold may have been overdue itself: it is read again.
                save_balance(connection, balance)
                return hold_by_id(connection, first_id)[0]
            balance = balance.with_hold(amount)
            insert_hold(connection, hold)
            save_balance(connection, balance)
            return hold

        return await self._database.change(change)

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
        """Take *amount* for the hold, give the rest back, and log *usage* and *attempts*."""
        usage, attempts = tuple(usage), tuple(attempts)

        def change(connection: sqlite3.Connection) -> Entry:
            hold, balance = hold_by_id(connection, hold_id)
            _append(connection, attempts, hold)
            if hold.state is HoldState.CAPTURED:
                first, logged = capture_of(connection, hold_id)
                if hold.captured != amount or not were_captured(connection, usage, logged=logged):
                    raise IdempotencyConflict("the hold was captured for another amount or usage")
                return first
            captured = hold.capture(amount, at=at)
            if any(event.account != hold.account for event in usage):
                raise InvalidRequest("usage and hold must be of one account", code="wrong_account")
            if hold.state is HoldState.OPEN:
                balance = balance.without_hold(hold.amount)
            balance = balance.posting(-amount)
            entry = Entry(
                id=entry_id,
                account=hold.account,
                sequence=balance.sequence,
                kind=EntryKind.CAPTURE,
                amount=-amount,
                balance_after=balance.posted,
                at=at,
                description=hold.purpose,
                hold_id=hold_id,
                held=hold.amount,
                late=hold.state is HoldState.EXPIRED,
            )
            resolve_hold(connection, captured)
            insert_entry(connection, entry, usage=[event.id for event in usage])
            append_captured(connection, usage, hold_id=hold_id)
            save_balance(connection, balance)
            return entry

        return await self._database.change(change)

    async def release(
        self, *, hold_id: str, at: datetime, attempts: Sequence[Attempt] = ()
    ) -> Hold:
        """Give the whole hold back, and log *attempts*."""
        attempts = tuple(attempts)

        def change(connection: sqlite3.Connection) -> Hold:
            hold, balance = hold_by_id(connection, hold_id)
            _append(connection, attempts, hold)
            released = hold.release(at=at)
            if released is not hold:
                resolve_hold(connection, released)
                save_balance(connection, balance.without_hold(hold.amount))
            return released

        return await self._database.change(change)

    async def expire(
        self, *, at: datetime, account: str | None = None, limit: int = 1000
    ) -> tuple[Hold, ...]:
        """Give back overdue holds, at most *limit*."""
        to_micros(at)

        def change(connection: sqlite3.Connection) -> tuple[Hold, ...]:
            overdue = overdue_holds(connection, at=at, account=account, limit=limit)
            balances: dict[tuple[str, str], Balance] = {}
            expired = []
            for hold in overdue:
                name = (hold.account, hold.amount.currency)
                balance = balances.get(name) or balance_of(connection, *name)
                balances[name] = balance.without_hold(hold.amount)
                expired.append(hold.expire(at=at))
                resolve_hold(connection, expired[-1])
            for balance in balances.values():
                save_balance(connection, balance)
            return tuple(expired)

        return await self._database.change(change)

    async def balance(self, *, account: str, currency: str) -> Balance:
        """Return the account's balance in *currency*."""
        return await self._database.look_up(lambda c: balance_of(c, account, currency))

    async def entries(
        self, *, account: str, currency: str, after: int = 0, limit: int = 100
    ) -> tuple[Entry, ...]:
        """Return entries in order of ``sequence``, those above *after*."""
        return await self._database.scan(
            lambda c: entries_of(c, account, currency, after=after, limit=limit)
        )


def _append(connection: sqlite3.Connection, attempts: Sequence[Attempt], hold: Hold) -> None:
    """Append what was asked of providers for *hold*; undone with the rest if anything fails."""
    if not attempts:
        return
    if any(attempt.account != hold.account for attempt in attempts):
        raise InvalidRequest("attempts and hold must be of one account", code="wrong_account")
    append_attempts(connection, attempts)
