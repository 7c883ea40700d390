"""Holds and balances as rows."""

import sqlite3
from datetime import datetime
from typing import Any

from tollkeeper.adapters.sqlite.rows import (
    from_micros,
    from_micros_or_none,
    page_size,
    to_micros,
    to_micros_or_none,
)
from tollkeeper.domain.errors import NotFound
from tollkeeper.domain.ledger import Balance, Hold, HoldState
from tollkeeper.domain.money import Money

_BALANCE = "SELECT posted, held, sequence FROM balances WHERE account = ? AND currency = ?"
_SAVE_BALANCE = """
    INSERT INTO balances (account, currency, posted, held, sequence) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (account, currency) DO UPDATE
    SET posted = excluded.posted, held = excluded.held, sequence = excluded.sequence
"""
_INSERT = """
    INSERT INTO holds (id, account, currency, amount, idempotency_key, purpose, placed_at,
        expires_at, state, captured, resolved_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_RESOLVE = "UPDATE holds SET state = ?, captured = ?, resolved_at = ? WHERE id = ?"
_BY_ID = """
    SELECT h.id, h.account, h.currency, h.amount, h.idempotency_key, h.purpose, h.placed_at,
        h.expires_at, h.state, h.captured, h.resolved_at, b.posted, b.held, b.sequence
    FROM holds AS h LEFT JOIN balances AS b ON b.account = h.account AND b.currency = h.currency
    WHERE h.id = ?
"""
# What placing a hold needs to know, in one question: each question costs more than its answer.
_BEFORE_PLACING = """
    SELECT (SELECT id FROM holds WHERE account = ?1 AND idempotency_key = ?2),
        EXISTS (SELECT 1 FROM holds WHERE state = 'open' AND account = ?1 AND expires_at <= ?4),
        b.posted, b.held, b.sequence
    FROM (SELECT 1) LEFT JOIN balances AS b ON b.account = ?1 AND b.currency = ?3
"""
_OVERDUE = """
    SELECT id, account, currency, amount, idempotency_key, purpose, placed_at, expires_at, state,
        captured, resolved_at
    FROM holds WHERE state = 'open' AND expires_at <= ? ORDER BY expires_at, id LIMIT ?
"""
_OVERDUE_OF = """
    SELECT id, account, currency, amount, idempotency_key, purpose, placed_at, expires_at, state,
        captured, resolved_at
    FROM holds WHERE state = 'open' AND account = ? AND expires_at <= ?
    ORDER BY expires_at, id LIMIT ?
"""
_STATES = {state.value: state for state in HoldState}


def _from_row(row: tuple[Any, ...]) -> Hold:
    hold_id, account, currency, amount, key, purpose, placed, expires, state, taken, resolved = row
    return Hold(
        id=hold_id,
        account=account,
        amount=Money(amount, currency),
        idempotency_key=key,
        purpose=purpose,
        placed_at=from_micros(placed),
        expires_at=from_micros(expires),
        state=_STATES[state],
        captured=None if taken is None else Money(taken, currency),
        resolved_at=from_micros_or_none(resolved),
    )


def _balance(account: str, currency: str, row: tuple[int | None, ...]) -> Balance:
    posted, held, sequence = row
    return Balance(account, Money(posted or 0, currency), Money(held or 0, currency), sequence or 0)


def hold_by_id(connection: sqlite3.Connection, hold_id: str) -> tuple[Hold, Balance]:
    """Return the hold, and the balance that it belongs to.

    Raises:
        NotFound: there is no such hold.
    """
    rows = connection.execute(_BY_ID, (hold_id,)).fetchall()
    if not rows:
        raise NotFound("no such hold", code="hold_not_found")
    hold = _from_row(rows[0][:11])
    return hold, _balance(hold.account, hold.amount.currency, rows[0][11:])


def before_placing(connection: sqlite3.Connection, hold: Hold) -> tuple[str | None, bool, Balance]:
    """Look around for *hold*.

    Returns:
        The id of the hold that its account placed with its key before, if any; whether the
        account has overdue holds; its balance.
    """
    account, currency = hold.account, hold.amount.currency
    asked = (account, hold.idempotency_key, currency, to_micros(hold.placed_at))
    [(first, overdue, *balance)] = connection.execute(_BEFORE_PLACING, asked).fetchall()
    return first, bool(overdue), _balance(account, currency, tuple(balance))


def overdue_holds(
    connection: sqlite3.Connection, *, at: datetime, account: str | None, limit: int
) -> list[Hold]:
    """Return open holds whose time is up at *at*, the oldest expiry first."""
    if account is None:
        rows = connection.execute(_OVERDUE, (to_micros(at), page_size(limit))).fetchall()
    else:
        asked = (account, to_micros(at), page_size(limit))
        rows = connection.execute(_OVERDUE_OF, asked).fetchall()
    return list(map(_from_row, rows))


def insert_hold(connection: sqlite3.Connection, hold: Hold) -> None:
    """Write a new hold.

    Raises:
        sqlite3.IntegrityError: its id is taken.
    """
    connection.execute(
        _INSERT,
        (
            hold.id,
            hold.account,
            hold.amount.currency,
            hold.amount.nanos,
            hold.idempotency_key,
            hold.purpose,
            to_micros(hold.placed_at),
            to_micros(hold.expires_at),
            hold.state.value,
            None if hold.captured is None else hold.captured.nanos,
            to_micros_or_none(hold.resolved_at),
        ),
    )


def resolve_hold(connection: sqlite3.Connection, hold: Hold) -> None:
    """Write how *hold* ended."""
    captured = None if hold.captured is None else hold.captured.nanos
    connection.execute(
        _RESOLVE, (hold.state.value, captured, to_micros_or_none(hold.resolved_at), hold.id)
    )


def balance_of(connection: sqlite3.Connection, account: str, currency: str) -> Balance:
    """Return the account's balance, zero if there is none."""
    rows = connection.execute(_BALANCE, (account, currency)).fetchall()
    return _balance(account, currency, rows[0] if rows else (0, 0, 0))


def save_balance(connection: sqlite3.Connection, balance: Balance) -> None:
    """Write the account's balance."""
    posted, held = balance.posted, balance.held
    connection.execute(
        _SAVE_BALANCE,
        (balance.account, posted.currency, posted.nanos, held.nanos, balance.sequence),
    )
