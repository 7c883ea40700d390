"""How much each key has used of its quota, in PostgreSQL."""

from datetime import datetime

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.sql.changes import settled
from tollkeeper.domain.key_limits import Quota, QuotaUse, checked_calls


class PostgresQuotaCounter:
    """Counts the calls of keys in one database.

    A take whose answer got lost is not repeated, for it may have counted: the error is
    ``ambiguous`` then, and whoever takes again may count twice. Periods that ended more than two
    months before the key's present one are forgotten.
    """

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        schema = connections.schema
        self._take = f"SELECT * FROM {schema}.take_quota($1, $2, $3, $4, $5)"
        self._give_back = f"SELECT {schema}.give_back_quota($1, $2, $3, $4)"
        self._used = f"SELECT * FROM {schema}.used_quota($1, $2, $3)"

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        """Count *calls*, if *quota* still allows all of them."""
        period, since, calls = quota.period.value, quota.starts(at), checked_calls(calls)
        [row] = await settled(
            self._connections.fetch(self._take, key_id, period, since, calls, quota.calls)
        )
        return bool(row["taken"])

    async def give_back(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> None:
        """Take back what was counted."""
        period, since, calls = quota.period.value, quota.starts(at), checked_calls(calls)
        await settled(self._connections.fetch(self._give_back, key_id, period, since, calls))

    async def used(self, key_id: str, quota: Quota, *, at: datetime) -> QuotaUse:
        """Return what is counted in the period in which *at* lies."""
        period, since = quota.period.value, quota.starts(at)
        for row in await self._connections.fetch(self._used, key_id, period, since):
            return QuotaUse(since, row["used"])
        return QuotaUse(since)
