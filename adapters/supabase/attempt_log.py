"""What was asked of providers, in Supabase."""

from collections.abc import Sequence
from datetime import datetime

from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.records import attempt_from_row
from tollkeeper.adapters.sql.rows import attempt_document
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.paging import in_pages
from tollkeeper.adapters.supabase.values import read_rows, time_or_none
from tollkeeper.domain.attempts import Attempt


class SupabaseAttemptLog:
    """Keeps attempts in one project."""

    def __init__(self, connections: SupabaseConnections) -> None:
        self._connections = connections

    async def record(self, attempts: Sequence[Attempt]) -> None:
        """Append *attempts*, all or none."""
        if attempts:
            documents = [attempt_document(attempt) for attempt in attempts]
            await settled(
                self._connections.call(
                    "append_attempts", {"p_attempts": documents}, effect=Effect.REPEATS
                )
            )

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
        period = {"p_since": time_or_none(since), "p_until": time_or_none(until)}

        async def ask(after: str | None, limit: int) -> list[Attempt]:
            rows = await self._connections.call(
                "attempt_page",
                {
                    "p_account": account,
                    "p_call_id": call_id,
                    **period,
                    "p_after": after,
                    "p_limit": limit,
                },
                effect=Effect.READS,
            )
            return read_rows(rows, attempt_from_row, port=self._connections.port)

        most = self._connections.address.max_rows
        return await in_pages(ask, limit=limit, most=most, after=after, key=lambda one: one.id)
