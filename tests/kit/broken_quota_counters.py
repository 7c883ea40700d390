"""Quota counters with one fault each, for the quota counter's suite to find."""

import asyncio
from datetime import datetime, timedelta

from tollkeeper.adapters.memory.quota_counter import MemoryQuotaCounter
from tollkeeper.domain.key_limits import Quota, QuotaPeriod, QuotaUse

MONTH = timedelta(days=30)


class RacyTake(MemoryQuotaCounter):
    """Looks at what is left, and counts a moment later."""

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        if (await self.used(key_id, quota, at=at)).used + calls > quota.calls:
            return False
        await asyncio.sleep(0)
        return await super().take(key_id, Quota(10**18 - 1, quota.period), at=at, calls=calls)


class OneMore(MemoryQuotaCounter):
    """Allows one call too many."""

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        larger = Quota(quota.calls + 1, quota.period)
        return await super().take(key_id, larger, at=at, calls=calls)


class SomeOfIt(MemoryQuotaCounter):
    """Counts what still fits."""

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        if await super().take(key_id, quota, at=at, calls=calls):
            return True
        used = (await self.used(key_id, quota, at=at)).used
        if used < quota.calls:
            await super().take(key_id, quota, at=at, calls=quota.calls - used)
        return False


class RefusedAreCounted(MemoryQuotaCounter):
    """Counts first, and looks then."""

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        await super().take(key_id, Quota(10**18 - 1, quota.period), at=at, calls=calls)
        return (await self.used(key_id, quota, at=at)).used <= quota.calls


class Floats(MemoryQuotaCounter):
    """Counts in floating point."""

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        used = float((await self.used(key_id, quota, at=at)).used) + float(calls)
        if used > float(quota.calls):
            return False
        self.database.quota_uses[key_id, quota.period, quota.starts(at)] = int(used)
        return True


class AnyCalls(MemoryQuotaCounter):
    """Takes any number for a number of calls."""

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        place = (key_id, quota.period, quota.starts(at))
        used = self.database.quota_uses.get(place, 0) + int(calls or 0)
        if used > quota.calls:
            return False
        self.database.quota_uses[place] = used
        return True


class NegativeReturn(MemoryQuotaCounter):
    """Counts what it should give back, if there is less than nothing of it."""

    async def give_back(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> None:
        place = (key_id, quota.period, quota.starts(at))
        if used := self.database.quota_uses.get(place, 0):
            self.database.quota_uses[place] = max(0, used - int(calls or 0))


class NothingGivenBack(MemoryQuotaCounter):
    """Keeps what it has."""

    async def give_back(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> None:
        return


class OneGivenBack(MemoryQuotaCounter):
    """Gives one call back, however many there were."""

    async def give_back(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> None:
        await super().give_back(key_id, quota, at=at)


class BelowZero(MemoryQuotaCounter):
    """Gives back more than was taken."""

    async def give_back(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> None:
        place = (key_id, quota.period, quota.starts(at))
        self.database.quota_uses[place] = self.database.quota_uses.get(place, 0) - calls


class RacyReturn(MemoryQuotaCounter):
    """Looks at what is counted, and writes a moment later."""

    async def give_back(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> None:
        used = (await self.used(key_id, quota, at=at)).used
        await asyncio.sleep(0)
        self.database.quota_uses[key_id, quota.period, quota.starts(at)] = used - calls


class ForEver(MemoryQuotaCounter):
    """Never begins afresh."""

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        return await super().take(key_id, quota, at=at.replace(month=1, day=1), calls=calls)


class MonthsOfThirtyDays(MemoryQuotaCounter):
    """Takes a month for thirty days."""

    async def used(self, key_id: str, quota: Quota, *, at: datetime) -> QuotaUse:
        start = quota.starts(at)
        ended = quota.period is QuotaPeriod.MONTH and at - start >= MONTH
        return QuotaUse(start) if ended else await super().used(key_id, quota, at=at)


class OnePageForEachKey(MemoryQuotaCounter):
    """Forgets the period before when the next begins."""

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        for place in [*self.database.quota_uses]:
            if place[:2] == (key_id, quota.period) and place[2] != quota.starts(at):
                del self.database.quota_uses[place]
        return await super().take(key_id, quota, at=at, calls=calls)


class DaysOfTheCaller(MemoryQuotaCounter):
    """Counts the day of the caller's own calendar."""

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        local = at.replace(tzinfo=datetime.now().astimezone().tzinfo)
        place = (f"{key_id} {local:%Y-%m-%d}", quota.period, quota.starts(local))
        used = self.database.quota_uses.get(place, 0) + calls
        self.database.quota_uses[place] = used
        return used <= quota.calls


class OneCountForAll(MemoryQuotaCounter):
    """Counts the calls of all keys together."""

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        return await super().take("all", quota, at=at, calls=calls)


class PeriodsMixed(MemoryQuotaCounter):
    """Knows a period by its beginning alone."""

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        month = Quota(quota.calls, QuotaPeriod.MONTH)
        return await super().take(key_id, month, at=quota.starts(at), calls=calls)


class CountsByQuota(MemoryQuotaCounter):
    """Begins afresh when the quota is changed."""

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        return await super().take(f"{key_id} {quota}", quota, at=at, calls=calls)


class OneAfterTheOther(MemoryQuotaCounter):
    """Counts several calls one after the other."""

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        for _ in range(calls):
            if not await super().take(key_id, quota, at=at):
                return False
            await asyncio.sleep(0)
        return True


class SinceNow(MemoryQuotaCounter):
    """Lets a period begin when it is first asked for."""

    async def used(self, key_id: str, quota: Quota, *, at: datetime) -> QuotaUse:
        use = await super().used(key_id, quota, at=at)
        return use if use.used else QuotaUse(at)
