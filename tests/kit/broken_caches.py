"""Caches, each with one fault."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from tollkeeper.adapters.memory.cache import MemoryCache
from tollkeeper.domain.errors import Conflict, InvalidRequest

HOUR = timedelta(hours=1)


class Forgetful(MemoryCache):
    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        pass


class ForgetsEmptyValues(MemoryCache):
    async def get(self, key: str) -> bytes | None:
        return await super().get(key) or None


class TextOnly(MemoryCache):
    async def get(self, key: str) -> bytes | None:
        value = await super().get(key)
        return value if value is None else value.decode(errors="replace").encode()


class LivesForEver(MemoryCache):
    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        await super().set(key, value, ttl=1000 * ttl)


class WholeSecondsRoundedDown(MemoryCache):
    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        await super().set(key, value, ttl=max(ttl - timedelta(seconds=2), ttl / 2))


class FirstLifeStays(MemoryCache):
    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        with self._lock:
            end = self._entries[key][1] if self._living(key) is not None else None
        await super().set(key, value, ttl=ttl)
        if end is not None:
            self._entries[key] = (value, end)


class ReadingRenews(MemoryCache):
    async def get(self, key: str) -> bytes | None:
        value = await super().get(key)
        if value is not None:
            await super().set(key, value, ttl=HOUR)
        return value


class AddReplaces(MemoryCache):
    async def add(self, key: str, value: bytes, *, ttl: timedelta) -> bool:
        there = await self.get(key) is not None
        await super().set(key, value, ttl=ttl)
        return not there


class RacyAdd(MemoryCache):
    async def add(self, key: str, value: bytes, *, ttl: timedelta) -> bool:
        if await super().get(key) is not None:
            return False
        await asyncio.sleep(0)
        await super().set(key, value, ttl=ttl)
        return True


class RacyDelete(MemoryCache):
    async def delete(self, key: str) -> bool:
        there = await super().get(key) is not None
        await asyncio.sleep(0)
        await super().delete(key)
        return there


class DeleteAlwaysSaysYes(MemoryCache):
    async def delete(self, key: str) -> bool:
        await super().delete(key)
        return True


class DeleteFindsExpired(MemoryCache):
    async def delete(self, key: str) -> bool:
        kept = key in self._entries
        return await super().delete(key) or kept


class ShortKeys(MemoryCache):
    async def get(self, key: str) -> bytes | None:
        return await super().get(key[:41])

    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        await super().set(key[:41], value, ttl=ttl)


class DeletesByPrefix(MemoryCache):
    async def delete(self, key: str) -> bool:
        for name in [name for name in self._entries if name.startswith(key)]:
            await super().delete(name)
        return True


class TakesAnyKey(MemoryCache):
    async def get(self, key: str) -> bytes | None:
        try:
            return await super().get(key)
        except InvalidRequest:
            return None


class TakesAnyTtl(MemoryCache):
    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        try:
            await super().set(key, value, ttl=ttl)
        except InvalidRequest:
            await super().set(key, value, ttl=HOUR)


class CutsLongValues(MemoryCache):
    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        await super().set(key, value[: 1 << 20], ttl=ttl)


class EncodesText(MemoryCache):
    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        await super().set(key, getattr(value, "encode", lambda: value)(), ttl=ttl)


class RefusesTooLate(MemoryCache):
    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        await self.delete(key)
        await super().set(key, value, ttl=ttl)


class LeavesItsLock(MemoryCache):
    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._writing = asyncio.Lock()

    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        async with asyncio.timeout(1):
            await self._writing.acquire()
        await asyncio.sleep(0)
        await super().set(key, value, ttl=ttl)
        self._writing.release()


class ManyDropsEmptyValues(MemoryCache):
    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        return {key: value for key, value in (await super().get_many(keys)).items() if value}


class RacyIncrement(MemoryCache):
    async def increment(self, key: str, by: int = 1, *, ttl: timedelta) -> int:
        total = int(await self.get(key) or 0) + by
        await asyncio.sleep(0)
        await self.set(key, str(total).encode(), ttl=ttl)
        return total


class CountsWithFloats(MemoryCache):
    async def increment(self, key: str, by: int = 1, *, ttl: timedelta) -> int:
        return int(float(await super().increment(key, by, ttl=ttl)))


class CountingRenews(MemoryCache):
    async def increment(self, key: str, by: int = 1, *, ttl: timedelta) -> int:
        total = await super().increment(key, by, ttl=ttl)
        await self.expire(key, ttl=ttl)
        return total


class CountsFromAnything(MemoryCache):
    async def increment(self, key: str, by: int = 1, *, ttl: timedelta) -> int:
        try:
            return await super().increment(key, by, ttl=ttl)
        except Conflict:
            await self.set(key, str(by).encode(), ttl=ttl)
            return by


class ExpireNeverShortens(MemoryCache):
    async def expire(self, key: str, *, ttl: timedelta) -> bool:
        return await super().expire(key, ttl=max(ttl, HOUR))


class ExpireRevives(MemoryCache):
    async def expire(self, key: str, *, ttl: timedelta) -> bool:
        await super().expire(key, ttl=ttl)
        return True
