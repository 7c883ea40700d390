"""Quotas counted in the memory of the process."""

from datetime import datetime

from attrs import field, frozen

from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.domain.key_limits import Quota, QuotaPeriod, QuotaUse, checked_calls


@frozen
class MemoryQuotaCounter:
    """Counts the calls of keys in *database*."""

    database: MemoryDatabase = field(factory=MemoryDatabase)

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        """Count calls, if the quota allows them."""
        place = _place(key_id, quota, at)
        used = self.database.quota_uses.get(place, 0) + checked_calls(calls)
        if used > quota.calls:
            return False
        self.database.quota_uses[place] = used
        return True

    async def give_back(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> None:
        """Take back what was counted."""
        place, calls = _place(key_id, quota, at), checked_calls(calls)
        if used := self.database.quota_uses.get(place, 0):
            self.database.quota_uses[place] = max(0, used - calls)

    async def used(self, key_id: str, quota: Quota, *, at: datetime) -> QuotaUse:
        """Return what is counted."""
        place = _place(key_id, quota, at)
        return QuotaUse(since=place[2], used=self.database.quota_uses.get(place, 0))


def _place(key_id: str, quota: Quota, at: datetime) -> tuple[str, QuotaPeriod, datetime]:
    return key_id, quota.period, quota.starts(at)
