"""What was asked of providers, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.records import attempt_from_row, aware_or_none
from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.rows import attempts_json, page_size
from tollkeeper.domain.attempts import Attempt


class PostgresAttemptLog:
    """Keeps attempts in one database."""

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        schema = connections.schema
        self._record = f"SELECT {schema}.append_attempts($1)"
        self._page = f"SELECT * FROM {schema}.attempt_page($1, $2, $3, $4, $5, $6)"

    async def record(self, attempts: Sequence[Attempt]) -> None:
        """Append *attempts*, all or none."""
        if attempts:
            await settled(self._connections.fetch(self._record, attempts_json(attempts)))

    async def attempts(
        self,
        *,
        account: str,
        call_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[Attempt, ...]:
        """Return the account's attempts in order of ``(started_at, id)``."""
        period = (aware_or_none(since), aware_or_none(until))
        rows = await self._connections.fetch(
            self._page, account, call_id, *period, after, page_size(limit)
        )
        return tuple(attempt_from_row(row) for row in rows)
