"""What was used, in Supabase."""

from collections.abc import Sequence
from datetime import datetime

from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.records import event_from_row, total_from_row
from tollkeeper.adapters.sql.rows import event_document
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.paging import in_pages
from tollkeeper.adapters.supabase.values import read_rows, time_or_none
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.usage import UsageEvent, UsageTotal


class SupabaseUsageLog:
    """Keeps usage events in one project."""

    def __init__(self, connections: SupabaseConnections) -> None:
        self._connections = connections

    async def record(self, events: Sequence[UsageEvent]) -> None:
        """Append *events* that charge nothing, all or none."""
        if any(event.charge for event in events):
            raise InvalidRequest("only a capture may record an event that charges something")
        if events:
            documents = [event_document(event) for event in events]
            await settled(
                self._connections.call(
                    "record_usage", {"p_events": documents}, effect=Effect.REPEATS
                )
            )

    async def events(
        self,
        *,
        account: str,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[UsageEvent, ...]:
        """Return the account's events in order of ``(occurred_at, id)``."""
        period = {"p_since": time_or_none(since), "p_until": time_or_none(until)}

        async def ask(after: str | None, limit: int) -> list[UsageEvent]:
            rows = await self._connections.call(
                "usage_page",
                {"p_account": account, **period, "p_after": after, "p_limit": limit},
                effect=Effect.READS,
            )
            return read_rows(rows, event_from_row, port=self._connections.port)

        most = self._connections.address.max_rows
        return await in_pages(ask, limit=limit, most=most, after=after, key=lambda event: event.id)

    async def totals(
        self, *, account: str, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[UsageTotal, ...]:
        """Sum the account's events by operation, model, meter and currency.

        Raises:
            Rejected: there are more sums than the project returns (code ``rows_left_out``).
        """
        rows = await self._connections.call(
            "usage_totals",
            {
                "p_account": account,
                "p_since": time_or_none(since),
                "p_until": time_or_none(until),
            },
            effect=Effect.READS,
        )
        return tuple(read_rows(rows, total_from_row, port=self._connections.port))
