"""What must be delivered, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.messages import delivery_from_row, message_document
from tollkeeper.adapters.sql.rows import Row, aware, page_size, written
from tollkeeper.domain.outbox import (
    Delivery,
    DeliveryState,
    Message,
    checked_lease,
    kept_error,
)


class PostgresOutbox:
    """Keeps messages in one database.

    A host that makes changes of its own in the same database adds messages in its own
    transaction with ``SELECT tollkeeper.add_messages($1)``; see :func:`messages_json`.
    """

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        schema = connections.schema
        self._add = f"SELECT * FROM {schema}.add_messages($1)"
        self._claim = f"SELECT * FROM {schema}.claim_messages($1, $2, $3, $4)"
        self._done = f"SELECT {schema}.messages_done($1, $2)"
        self._failed = f"SELECT * FROM {schema}.message_failed($1, $2, $3, $4, $5)"
        self._page = f"SELECT * FROM {schema}.message_page($1, $2, $3, $4)"
        self._revive = f"SELECT * FROM {schema}.revive_message($1, $2, $3)"

    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        """Keep *messages*, all or none."""
        if not messages:
            return ()
        return await self._change(self._add, messages_json(messages), idempotent=True)

    async def claim(
        self, *, topic: str, at: datetime, lease: timedelta, limit: int = 1
    ) -> tuple[Delivery, ...]:
        """Lend messages that are due."""
        until = aware(at) + checked_lease(lease)
        if limit < 1:
            return ()
        return await self._change(self._claim, topic, at, until, page_size(limit))

    async def done(self, deliveries: Sequence[Delivery], *, at: datetime) -> None:
        """Note that they were delivered."""
        ids = [delivery.message.id for delivery in deliveries]
        if ids:
            await settled(self._connections.fetch(self._done, ids, aware(at), idempotent=True))

    async def failed(
        self, delivery: Delivery, *, error: str, at: datetime, retry_at: datetime | None
    ) -> Delivery:
        """Note that a try failed."""
        retry_at = None if retry_at is None else aware(retry_at)
        asked = (delivery.message.id, delivery.claims, kept_error(error), aware(at), retry_at)
        [known] = await self._change(self._failed, *asked, idempotent=True)
        return known

    async def messages(
        self,
        *,
        state: DeliveryState,
        account: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[Delivery, ...]:
        """Return a page of the messages in *state*."""
        asked = (DeliveryState(state).value, account, after, page_size(limit))
        return _deliveries(await self._connections.fetch(self._page, *asked, idempotent=True))

    async def revive(self, message_id: str, *, account: str, at: datetime) -> Delivery:
        """Make a dead message due."""
        [known] = await self._change(self._revive, message_id, account, aware(at))
        return known

    async def _change(
        self, sql: str, *asked: Any, idempotent: bool = False
    ) -> tuple[Delivery, ...]:
        return _deliveries(
            await settled(self._connections.fetch(sql, *asked, idempotent=idempotent))
        )


def messages_json(messages: Sequence[Message]) -> str:
    """Write *messages* as ``add_messages`` takes them."""
    return written([message_document(message) for message in messages])


def _deliveries(rows: Sequence[Row]) -> tuple[Delivery, ...]:
    return tuple(map(delivery_from_row, rows))
