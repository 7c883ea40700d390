"""Ledger entries as rows."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from tollkeeper.adapters.sqlite.rows import from_micros, page_size, to_micros
from tollkeeper.domain.ledger import Entry, EntryKind
from tollkeeper.domain.money import Money

_INSERT = """
    INSERT INTO entries (id, account, currency, sequence, kind, amount, balance_after, at,
        description, idempotency_key, hold_id, held, late, usage)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_GRANT = """
    SELECT id, account, currency, sequence, kind, amount, balance_after, at, description,
        idempotency_key, hold_id, held, late
    FROM entries WHERE kind = 'grant' AND account = ? AND idempotency_key = ?
"""
_CAPTURE = """
    SELECT id, account, currency, sequence, kind, amount, balance_after, at, description,
        idempotency_key, hold_id, held, late, usage
    FROM entries WHERE hold_id = ?
"""
_PAGE = """
    SELECT id, account, currency, sequence, kind, amount, balance_after, at, description,
        idempotency_key, hold_id, held, late
    FROM entries WHERE account = ? AND currency = ? AND sequence > ? ORDER BY sequence LIMIT ?
"""


def _from_row(row: tuple[Any, ...]) -> Entry:
    entry_id, account, currency, sequence, kind, amount, after, at, text, key, hold, held, late = (
        row
    )
    return Entry(
        id=entry_id,
        account=account,
        sequence=sequence,
        kind=EntryKind(kind),
        amount=Money(amount, currency),
        balance_after=Money(after, currency),
        at=from_micros(at),
        description=text,
        idempotency_key=key,
        hold_id=hold,
        held=None if held is None else Money(held, currency),
        late=bool(late),
    )


def insert_entry(
    connection: sqlite3.Connection, entry: Entry, *, usage: Sequence[str] | None = None
) -> None:
    """Append *entry*; that of a capture says which usage events (by id) came with it.

    Raises:
        sqlite3.IntegrityError: its id is taken.
    """
    connection.execute(
        _INSERT,
        (
            entry.id,
            entry.account,
            entry.amount.currency,
            entry.sequence,
            entry.kind.value,
            entry.amount.nanos,
            entry.balance_after.nanos,
            to_micros(entry.at),
            entry.description,
            entry.idempotency_key,
            entry.hold_id,
            None if entry.held is None else entry.held.nanos,
            entry.late,
            None if usage is None else json.dumps(usage),
        ),
    )


def grant_by_key(connection: sqlite3.Connection, account: str, key: str) -> Entry | None:
    """Return the grant that the account was given with the idempotency key, or None."""
    rows = connection.execute(_GRANT, (account, key)).fetchall()
    return _from_row(rows[0]) if rows else None


def capture_of(connection: sqlite3.Connection, hold_id: str) -> tuple[Entry, list[str]]:
    """Return the entry of a captured hold, and the ids of the usage events that came with it."""
    [row] = connection.execute(_CAPTURE, (hold_id,)).fetchall()
    return _from_row(row[:-1]), json.loads(row[-1])


def entries_of(
    connection: sqlite3.Connection, account: str, currency: str, *, after: int, limit: int
) -> tuple[Entry, ...]:
    """Return the account's entries above *after*, in order."""
    asked = (account, currency, after, page_size(limit))
    return tuple(map(_from_row, connection.execute(_PAGE, asked).fetchall()))
