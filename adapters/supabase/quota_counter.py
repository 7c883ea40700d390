"""How much each key has used of its quota, in Supabase."""

from collections.abc import Mapping
from datetime import datetime

from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.documents import time_text
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.failures import corrupt
from tollkeeper.adapters.supabase.values import read_rows
from tollkeeper.domain.key_limits import Quota, QuotaUse, checked_calls


class SupabaseQuotaCounter:
    """Counts the calls of keys in one project.

    A take whose answer got lost is not repeated, for it may have counted: the error is
    ``ambiguous`` then, and whoever takes again may count twice. Periods that ended more than two
    months before the key's present one are forgotten.
    """

    def __init__(self, connections: SupabaseConnections) -> None:
        self._connections = connections

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        """Count *calls*, if *quota* still allows all of them."""
        arguments = {
            **_period(key_id, quota, at),
            "p_calls": checked_calls(calls),
            "p_limit": quota.calls,
        }
        rows = await settled(self._connections.call("take_quota", arguments, effect=Effect.CHANGES))
        match rows:
            case [{"taken": bool() as taken}]:
                return taken
        raise corrupt(self._connections.port)

    async def give_back(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> None:
        """Take back what was counted."""
        arguments = {**_period(key_id, quota, at), "p_calls": checked_calls(calls)}
        await settled(self._connections.call("give_back_quota", arguments, effect=Effect.CHANGES))

    async def used(self, key_id: str, quota: Quota, *, at: datetime) -> QuotaUse:
        """Return what is counted in the period in which *at* lies."""
        asked = _period(key_id, quota, at)
        rows = await self._connections.call("used_quota", asked, effect=Effect.READS)
        for used in read_rows(rows, lambda row: int(row["used"]), port=self._connections.port):
            return QuotaUse(quota.starts(at), used)
        return QuotaUse(quota.starts(at))


def _period(key_id: str, quota: Quota, at: datetime) -> Mapping[str, object]:
    since = time_text(quota.starts(at))
    return {"p_key_id": key_id, "p_period": quota.period.value, "p_since": since}
