"""What must be delivered, in Supabase."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.messages import delivery_from_row, message_document
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.failures import corrupt
from tollkeeper.adapters.supabase.paging import in_pages
from tollkeeper.adapters.supabase.values import read_rows, time_or_none, time_text
from tollkeeper.domain.outbox import (
    Delivery,
    DeliveryState,
    Message,
    checked_lease,
    kept_error,
)


class SupabaseOutbox:
    """Keeps messages in one project."""

    def __init__(self, connections: SupabaseConnections) -> None:
        self._connections = connections
        self._most = connections.address.max_rows

    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        """Keep *messages*, all or none.

        Raises:
            Rejected: they are kept, but are more than the project returns at once (code
                ``rows_left_out``).
        """
        if not messages:
            return ()
        documents = [message_document(message) for message in messages]
        return await self._change("add_messages", {"p_messages": documents}, Effect.REPEATS)

    async def claim(
        self, *, topic: str, at: datetime, lease: timedelta, limit: int = 1
    ) -> tuple[Delivery, ...]:
        """Lend messages that are due, no more than the project returns at once."""
        until = time_text(at + checked_lease(lease))
        if limit < 1:
            return ()
        return await self._change(
            "claim_messages",
            {
                "p_topic": topic,
                "p_at": time_text(at),
                "p_until": until,
                "p_limit": min(limit, self._most),
            },
            Effect.CHANGES,
        )

    async def done(self, deliveries: Sequence[Delivery], *, at: datetime) -> None:
        """Note that they were delivered."""
        ids = [delivery.message.id for delivery in deliveries]
        if ids:
            arguments = {"p_ids": ids, "p_at": time_text(at)}
            await settled(self._connections.call("messages_done", arguments, effect=Effect.REPEATS))

    async def failed(
        self, delivery: Delivery, *, error: str, at: datetime, retry_at: datetime | None
    ) -> Delivery:
        """Note that a try failed."""
        known = await self._change(
            "message_failed",
            {
                "p_id": delivery.message.id,
                "p_claims": delivery.claims,
                "p_error": kept_error(error),
                "p_at": time_text(at),
                "p_retry_at": time_or_none(retry_at),
            },
            Effect.REPEATS,
        )
        return self._single(known)

    async def messages(
        self,
        *,
        state: DeliveryState,
        account: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[Delivery, ...]:
        """Return a page of the messages in *state*."""
        wanted = {"p_state": DeliveryState(state).value, "p_account": account}

        async def ask(after: str | None, limit: int) -> Sequence[Delivery]:
            asked = {**wanted, "p_after": after, "p_limit": limit}
            rows = await self._connections.call("message_page", asked, effect=Effect.READS)
            return read_rows(rows, delivery_from_row, port=self._connections.port)

        return await in_pages(
            ask, limit=limit, most=self._most, after=after, key=lambda one: one.message.id
        )

    async def revive(self, message_id: str, *, account: str, at: datetime) -> Delivery:
        """Make a dead message due."""
        known = await self._change(
            "revive_message",
            {"p_id": message_id, "p_account": account, "p_at": time_text(at)},
            Effect.CHANGES,
        )
        return self._single(known)

    async def _change(
        self, function: str, arguments: Mapping[str, object], effect: Effect
    ) -> tuple[Delivery, ...]:
        rows = await settled(self._connections.call(function, arguments, effect=effect))
        return tuple(read_rows(rows, delivery_from_row, port=self._connections.port))

    def _single(self, known: Sequence[Delivery]) -> Delivery:
        if len(known) != 1:
            raise corrupt(self._connections.port)
        return known[0]
