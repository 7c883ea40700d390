"""What was used, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.records import (
    aware_or_none,
    event_from_row,
    total_from_row,
)
from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.rows import events_json, page_size
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.usage import UsageEvent, UsageTotal


class PostgresUsageLog:
    """Keeps usage events in one database."""

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        schema = connections.schema
        self._record = f"SELECT {schema}.record_usage($1)"
        self._page = f"SELECT * FROM {schema}.usage_page($1, $2, $3, $4, $5)"
        self._totals = f"SELECT * FROM {schema}.usage_totals($1, $2, $3)"

    async def record(self, events: Sequence[UsageEvent]) -> None:
        """Append *events* that charge nothing, all or none."""
        if any(event.charge for event in events):
            raise InvalidRequest("only a capture may record an event that charges something")
        if events:
            await settled(self._connections.fetch(self._record, events_json(events)))

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
        period = (aware_or_none(since), aware_or_none(until))
        rows = await self._connections.fetch(self._page, account, *period, after, page_size(limit))
        return tuple(event_from_row(row) for row in rows)

    async def totals(
        self, *, account: str, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[UsageTotal, ...]:
        """Sum the account's events by operation, model, meter and currency."""
        period = (aware_or_none(since), aware_or_none(until))
        rows = await self._connections.fetch(self._totals, account, *period)
        return tuple(total_from_row(row) for row in rows)
