"""Locks, each with one fault."""

import asyncio
import uuid
from datetime import timedelta

from tollkeeper.adapters.memory.lock import MemoryLock
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.locks import Lease

NO_WAIT = timedelta(0)
HOUR = timedelta(hours=1)


class LendsToAll(MemoryLock):
    def _take(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        self._leases.pop(name, None)
        return super()._take(name, owner, ttl)


class Racy(MemoryLock):
    async def acquire(
        self,
        name: str,
        *,
        ttl: timedelta,
        wait: timedelta = NO_WAIT,
        owner: str | None = None,
    ) -> Lease | None:
        free = self._held(name) is None
        await asyncio.sleep(0)
        if free:
            self._leases.pop(name, None)
        return await super().acquire(name, ttl=ttl, wait=wait, owner=owner)


class ForgetsTheOwner(MemoryLock):
    def _take(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        return None if self._held(name) else super()._take(name, owner, ttl)


class NewNumberForTheSameOwner(MemoryLock):
    def _take(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        held = self._held(name)
        if held is not None and held.owner == owner:
            del self._leases[name]
        return super()._take(name, owner, ttl)


class AskingAgainDoesNotRenew(MemoryLock):
    def _take(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        held = self._held(name)
        if held is not None and held.owner == owner:
            return held
        return super()._take(name, owner, ttl)


class OneOwnerForAll(MemoryLock):
    async def acquire(
        self,
        name: str,
        *,
        ttl: timedelta,
        wait: timedelta = NO_WAIT,
        owner: str | None = None,
    ) -> Lease | None:
        owner = "process" if owner is None else owner
        return await super().acquire(name, ttl=ttl, wait=wait, owner=owner)


class ReleaseIsAlwaysContent(MemoryLock):
    async def release(self, lease: Lease) -> bool:
        await super().release(lease)
        return True


class DeletesWithoutComparing(MemoryLock):
    async def release(self, lease: Lease) -> bool:
        return self._leases.pop(lease.name, None) is not None


class RenewsWithoutComparing(MemoryLock):
    async def renew(self, lease: Lease, *, ttl: timedelta | None = None) -> bool:
        self._lend(lease, ttl or lease.ttl)
        return True


class ComparesTheOwnerAlone(MemoryLock):
    def _is_held(self, lease: Lease) -> bool:
        held = self._held(lease.name)
        return held is not None and held.owner == lease.owner


class NeverReleases(MemoryLock):
    async def release(self, lease: Lease) -> bool:
        return self._is_held(lease)


class LastsForEver(MemoryLock):
    def _lend(self, lease: Lease, ttl: timedelta) -> Lease:
        return super()._lend(lease, 1000 * ttl)


class EndsTooSoon(MemoryLock):
    def _lend(self, lease: Lease, ttl: timedelta) -> Lease:
        return super()._lend(lease, ttl / 2)


class AskingInVainRenews(MemoryLock):
    def _take(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        held = self._held(name)
        if held is not None:
            self._lend(held, ttl)
        return super()._take(name, owner, ttl)


class RenewsByTheFirstTtl(MemoryLock):
    async def renew(self, lease: Lease, *, ttl: timedelta | None = None) -> bool:
        return await super().renew(lease)


class NumbersBeginAnew(MemoryLock):
    def _take(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        if self._held(name) is None:
            self._fencing = 0
        return super()._take(name, owner, ttl)


class DoesNotWait(MemoryLock):
    async def acquire(
        self,
        name: str,
        *,
        ttl: timedelta,
        wait: timedelta = NO_WAIT,
        owner: str | None = None,
    ) -> Lease | None:
        return await super().acquire(name, ttl=ttl, owner=owner)


class GoesOnAskingForWhoLeft(MemoryLock):
    _tasks: frozenset[object] = frozenset()

    async def acquire(
        self,
        name: str,
        *,
        ttl: timedelta,
        wait: timedelta = NO_WAIT,
        owner: str | None = None,
    ) -> Lease | None:
        asking = asyncio.ensure_future(super().acquire(name, ttl=ttl, wait=wait, owner=owner))
        self._tasks |= {asking}
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            for held, _ in list(self._leases.values()):
                await self.release(held)
            await asyncio.sleep(0.02)
            raise


class ShortNames(MemoryLock):
    async def acquire(
        self,
        name: str,
        *,
        ttl: timedelta,
        wait: timedelta = NO_WAIT,
        owner: str | None = None,
    ) -> Lease | None:
        return await super().acquire(name[:41], ttl=ttl, wait=wait, owner=owner)


class TakesAnyName(MemoryLock):
    async def acquire(
        self,
        name: str,
        *,
        ttl: timedelta,
        wait: timedelta = NO_WAIT,
        owner: str | None = None,
    ) -> Lease | None:
        try:
            return await super().acquire(name, ttl=ttl, wait=wait, owner=owner)
        except InvalidRequest:
            return self._take(name, owner or "someone", HOUR)


class RefusesTooLate(MemoryLock):
    async def acquire(
        self,
        name: str,
        *,
        ttl: timedelta,
        wait: timedelta = NO_WAIT,
        owner: str | None = None,
    ) -> Lease | None:
        owner = owner or uuid.uuid4().hex
        self._take(name, owner, HOUR)
        return await super().acquire(name, ttl=ttl, wait=wait, owner=owner)
