"""What must be delivered, in SQLite."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.failures import is_taken
from tollkeeper.adapters.sqlite.rows import (
    FROM_THE_START,
    from_micros,
    from_micros_or_none,
    page_size,
    to_micros,
    to_micros_or_none,
)
from tollkeeper.domain.errors import Conflict, IdempotencyConflict, NotFound
from tollkeeper.domain.outbox import (
    Delivery,
    DeliveryState,
    Message,
    checked_lease,
    kept_error,
)

_SELECT = """
    SELECT id, account, topic, idempotency_key, payload, created_at, first_due, max_tries, state,
        claims, tries, due_at, error, ended_at
    FROM messages
"""
_INSERT = """
    INSERT INTO messages (id, account, topic, idempotency_key, payload, created_at, first_due,
        max_tries, due_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?7)
    ON CONFLICT (account, topic, idempotency_key) DO NOTHING
"""
_BY_KEY = _SELECT + " WHERE account = ? AND topic = ? AND idempotency_key = ?"
_BY_ID = _SELECT + " WHERE id = ?"
_DUE = """
    SELECT id, tries >= max_tries FROM messages
    WHERE state = 'pending' AND topic = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?
"""
_END = "UPDATE messages SET state = ?, ended_at = ? WHERE id = ?"
_LEND = "UPDATE messages SET claims = claims + 1, tries = tries + 1, due_at = ? WHERE id = ?"
_DONE = "UPDATE messages SET state = 'done', ended_at = ? WHERE id = ? AND state <> 'done'"
_AGAIN = "UPDATE messages SET due_at = ? WHERE id = ?"
_SAID = "UPDATE messages SET error = ? WHERE id = ?"
_REVIVE = """
    UPDATE messages SET state = 'pending', ended_at = NULL, tries = 0, claims = claims + 1,
        due_at = ?
    WHERE id = ?
"""
_LATER = " state = ? AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?"
_PAGE = _SELECT + " WHERE" + _LATER
_PAGE_OF = _SELECT + " WHERE account = ? AND" + _LATER


def append_messages(
    connection: sqlite3.Connection, messages: Sequence[Message]
) -> tuple[Delivery, ...]:
    """Write *messages* in the transaction of the change that they tell of.

    Raises:
        IdempotencyConflict: one has another payload than the message that has its key.
        Conflict: an id is taken.
    """
    kept = []
    for message in messages:
        try:
            connection.execute(
                _INSERT,
                (
                    message.id,
                    message.account,
                    message.topic,
                    message.idempotency_key,
                    message.payload,
                    to_micros(message.created_at),
                    to_micros(message.due_at),
                    message.max_tries,
                ),
            )
        except sqlite3.IntegrityError as error:
            if is_taken(error):
                raise Conflict("an id is taken already; make a new one") from error
            raise
        key = (message.account, message.topic, message.idempotency_key)
        [row] = connection.execute(_BY_KEY, key).fetchall()
        kept.append(_from_row(row))
        if not message.is_same(kept[-1].message):
            raise IdempotencyConflict(
                "the idempotency key was used for a message with another payload"
            )
    return tuple(kept)


class SqliteOutbox:
    """Keeps messages in one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        """Keep *messages*, all or none."""
        new = tuple(messages)
        return await self._database.change(lambda connection: append_messages(connection, new))

    async def claim(
        self, *, topic: str, at: datetime, lease: timedelta, limit: int = 1
    ) -> tuple[Delivery, ...]:
        """Lend messages that are due."""
        now = to_micros(at)
        until = to_micros(at + checked_lease(lease))

        def lend(connection: sqlite3.Connection) -> tuple[Delivery, ...]:
            claimed: list[Delivery] = []
            while len(claimed) < limit:
                asked = (topic, now, page_size(limit - len(claimed)))
                due = connection.execute(_DUE, asked).fetchall()
                if not due:
                    break
                for message_id, is_exhausted in due:
                    if is_exhausted:
                        connection.execute(_END, (DeliveryState.DEAD, now, message_id))
                    else:
                        connection.execute(_LEND, (until, message_id))
                        claimed.append(_known(connection, message_id))
            return tuple(claimed)

        return await self._database.change(lend)

    async def done(self, deliveries: Sequence[Delivery], *, at: datetime) -> None:
        """Note that they were delivered."""
        rows = [(to_micros(at), delivery.message.id) for delivery in deliveries]
        await self._database.change(lambda connection: connection.executemany(_DONE, rows))

    async def failed(
        self, delivery: Delivery, *, error: str, at: datetime, retry_at: datetime | None
    ) -> Delivery:
        """Note that a try failed."""
        message_id, why = delivery.message.id, kept_error(error)
        now, later = to_micros(at), to_micros_or_none(retry_at)

        def note(connection: sqlite3.Connection) -> Delivery:
            known = _known(connection, message_id)
            if known.state is not DeliveryState.PENDING or known.claims != delivery.claims:
                return known
            connection.execute(_SAID, (why, message_id))
            if later is None or known.tries >= known.message.max_tries:
                connection.execute(_END, (DeliveryState.DEAD, now, message_id))
            else:
                connection.execute(_AGAIN, (later, message_id))
            return _known(connection, message_id)

        return await self._database.change(note)

    async def messages(
        self,
        *,
        state: DeliveryState,
        account: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[Delivery, ...]:
        """Return a page of the messages in *state*."""

        def read(connection: sqlite3.Connection) -> tuple[Delivery, ...]:
            position = (FROM_THE_START, "")
            if after is not None:
                last = _known(connection, after, account).message
                position = (to_micros(last.created_at), after)
            asked = (state, *position, page_size(limit))
            if account is None:
                rows = connection.execute(_PAGE, asked).fetchall()
            else:
                rows = connection.execute(_PAGE_OF, (account, *asked)).fetchall()
            return tuple(map(_from_row, rows))

        return await self._database.scan(read)

    async def revive(self, message_id: str, *, account: str, at: datetime) -> Delivery:
        """Make a dead message due."""
        now = to_micros(at)

        def make_due(connection: sqlite3.Connection) -> Delivery:
            if _known(connection, message_id, account).state is not DeliveryState.DEAD:
                raise Conflict("the message is not dead", code="message_not_dead")
            connection.execute(_REVIVE, (now, message_id))
            return _known(connection, message_id)

        return await self._database.change(make_due)


def _known(connection: sqlite3.Connection, message_id: str, account: str | None = None) -> Delivery:
    for row in connection.execute(_BY_ID, (message_id,)).fetchall():
        known = _from_row(row)
        if account in (None, known.message.account):
            return known
    raise NotFound("no such message", code="message_not_found")


def _from_row(row: tuple[Any, ...]) -> Delivery:
    return Delivery(
        message=Message(
            id=row[0],
            account=row[1],
            topic=row[2],
            idempotency_key=row[3],
            payload=row[4],
            created_at=from_micros(row[5]),
            due_at=from_micros(row[6]),
            max_tries=row[7],
        ),
        state=DeliveryState(row[8]),
        claims=row[9],
        tries=row[10],
        due_at=from_micros(row[11]),
        error=row[12],
        ended_at=from_micros_or_none(row[13]),
    )
