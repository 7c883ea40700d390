"""Data key stores with one fault each, for the data key store's suite to find."""

import asyncio

from attrs import evolve

from tollkeeper.adapters.memory.data_key_store import MemoryDataKeyStore
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.encryption import DataKey, DataKeyState, WrappedKey
from tollkeeper.domain.errors import Conflict, NotFound


class WrappedCutShort(MemoryDataKeyStore):
    """Keeps 256 bytes of a wrapped key."""

    async def add(self, key: DataKey, *, audit: AuditEntry) -> None:
        wrapped = WrappedKey(key.wrapped.kek_id, key.wrapped.ciphertext[:256])
        await super().add(evolve(key, wrapped=wrapped), audit=audit)


class AlwaysTheSameAlgorithm(MemoryDataKeyStore):
    """Knows one algorithm."""

    async def add(self, key: DataKey, *, audit: AuditEntry) -> None:
        await super().add(evolve(key, algorithm=1), audit=audit)


class NoneForUnknown(MemoryDataKeyStore):
    """Answers that there is no such key by another name."""

    def _data_key(self, account: str, data_key_id: str) -> DataKey:
        try:
            return super()._data_key(account, data_key_id)
        except NotFound:
            raise NotFound("no such thing") from None


class AccountBlind(MemoryDataKeyStore):
    """Shows and changes anybody's data keys."""

    def _data_key(self, account: str, data_key_id: str) -> DataKey:
        if data_key_id not in self.database.data_keys:
            raise NotFound("no such data key", code="data_key_not_found")
        return self.database.data_keys[data_key_id]


class SeveralPrimaries(MemoryDataKeyStore):
    """Leaves the former primary as it is, and finds the newest."""

    async def add(self, key: DataKey, *, audit: AuditEntry) -> None:
        if key.id in self.database.data_keys:
            raise Conflict("taken", code="data_key_taken")
        placed = self.database.placed(audit)
        self.database.data_keys[key.id] = key
        self.database.write(placed)

    def _primary(self, account: str) -> DataKey | None:
        keys = [key for key in self.database.data_keys.values() if key.account == account]
        return next((key for key in keys[::-1] if key.state is DataKeyState.PRIMARY), None)


class AnyKeyIsPrimary(MemoryDataKeyStore):
    """Lets a key that was added as readable take the primary's place."""

    async def add(self, key: DataKey, *, audit: AuditEntry) -> None:
        await super().add(evolve(key, state=DataKeyState.PRIMARY), audit=audit)


class VersionStays(MemoryDataKeyStore):
    """Changes the former primary, and does not say so."""

    async def add(self, key: DataKey, *, audit: AuditEntry) -> None:
        former = self._primary(key.account)
        await super().add(key, audit=audit)
        if former is not None:
            found = self.database.data_keys[former.id]
            self.database.data_keys[former.id] = evolve(found, version=former.version)


class EveryonesPrimary(MemoryDataKeyStore):
    """Knows one primary of all."""

    def _primary(self, account: str) -> DataKey | None:
        keys = self.database.data_keys.values()
        return next((key for key in keys if key.state is DataKeyState.PRIMARY), None)


class IdsTakenOver(MemoryDataKeyStore):
    """Writes a new data key over an old one."""

    async def add(self, key: DataKey, *, audit: AuditEntry) -> None:
        self.database.data_keys.pop(key.id, None)
        await super().add(key, audit=audit)


class InAnyOrder(MemoryDataKeyStore):
    """Gives data keys as they came."""

    async def of_account(self, account: str) -> tuple[DataKey, ...]:
        return tuple(key for key in self.database.data_keys.values() if key.account == account)


class PagesWithDestroyed(MemoryDataKeyStore):
    """Gives destroyed data keys too."""

    async def page(self, *, after: str | None = None, limit: int = 100) -> tuple[DataKey, ...]:
        keys = [key for key in self.database.data_keys.values() if after is None or key.id > after]
        return tuple(sorted(keys, key=lambda key: key.id)[:limit])


class PagesByTime(MemoryDataKeyStore):
    """Gives data keys by their age."""

    async def page(self, *, after: str | None = None, limit: int = 100) -> tuple[DataKey, ...]:
        keys = await super().page(after=after, limit=10_000)
        return tuple(sorted(keys, key=lambda key: key.created_at)[:limit])


class WrappingStays(MemoryDataKeyStore):
    """Replaces the state, and not the wrapped bytes."""

    async def replace(self, key: DataKey, *, audit: AuditEntry) -> None:
        former = await self.get(account=key.account, data_key_id=key.id)
        await super().replace(evolve(key, wrapped=former.wrapped), audit=audit)


class NothingCompared(MemoryDataKeyStore):
    """Takes any version."""

    async def replace(self, key: DataKey, *, audit: AuditEntry) -> None:
        former = await self.get(account=key.account, data_key_id=key.id)
        await super().replace(evolve(key, version=former.version + 1), audit=audit)


class RacyReplace(MemoryDataKeyStore):
    """Compares the version, and writes a moment later."""

    async def replace(self, key: DataKey, *, audit: AuditEntry) -> None:
        former = await self.get(account=key.account, data_key_id=key.id)
        if former.version != key.version - 1:
            raise Conflict("someone changed the data key first", code="data_key_changed")
        await asyncio.sleep(0)
        self.database.data_keys[key.id] = key
        self.database.write(self.database.placed(audit))


class UnknownAreMade(MemoryDataKeyStore):
    """Keeps a data key that was to be replaced and is not there."""

    async def replace(self, key: DataKey, *, audit: AuditEntry) -> None:
        self.database.data_keys.setdefault(key.id, evolve(key, version=key.version - 1))
        await super().replace(key, audit=audit)


class AnythingGoes(MemoryDataKeyStore):
    """Compares versions, and looks at nothing else."""

    async def replace(self, key: DataKey, *, audit: AuditEntry) -> None:
        former = await self.get(account=key.account, data_key_id=key.id)
        if former.version != key.version - 1:
            raise Conflict("someone changed the data key first", code="data_key_changed")
        self.database.data_keys[key.id] = key
        self.database.write(self.database.placed(audit))


class DestroyedInName(MemoryDataKeyStore):
    """Says that a data key is destroyed, and has it all the same."""

    async def get(self, *, account: str, data_key_id: str) -> DataKey:
        found = await super().get(account=account, data_key_id=data_key_id)
        if found.state is DataKeyState.DESTROYED:
            return evolve(found, state=DataKeyState.READABLE, wrapped=WrappedKey("k", b"kept"))
        return found


class DestroyedTwice(MemoryDataKeyStore):
    """Writes that a data key was destroyed each time that it is asked to."""

    async def destroy(self, *, account: str, data_key_id: str, audit: AuditEntry) -> None:
        before = len(self.database.audit[audit.account])
        await super().destroy(account=account, data_key_id=data_key_id, audit=audit)
        if len(self.database.audit[audit.account]) == before:
            self.database.write(self.database.placed(audit))


class DestroyedAndForgotten(MemoryDataKeyStore):
    """Leaves no trace of a destroyed data key."""

    async def destroy(self, *, account: str, data_key_id: str, audit: AuditEntry) -> None:
        await super().destroy(account=account, data_key_id=data_key_id, audit=audit)
        self.database.data_keys.pop(data_key_id)


class DestroysWhatIsNeeded(MemoryDataKeyStore):
    """Destroys a data key whatever is encrypted with it."""

    async def destroy(self, *, account: str, data_key_id: str, audit: AuditEntry) -> None:
        key = await self.get(account=account, data_key_id=data_key_id)
        if key.state is not DataKeyState.DESTROYED:
            self.database.data_keys[key.id] = key.destroy()
            self.database.write(self.database.placed(audit))


class ReplacesWhatIsNeeded(MemoryDataKeyStore):
    """Lets a replacement destroy a data key whatever is encrypted with it."""

    async def replace(self, key: DataKey, *, audit: AuditEntry) -> None:
        needed = dict(self.database.credentials)
        self.database.credentials.clear()
        try:
            await super().replace(key, audit=audit)
        finally:
            self.database.credentials.update(needed)


class RacyPrimaries(MemoryDataKeyStore):
    """Looks for the primary, and retires it a moment later."""

    async def add(self, key: DataKey, *, audit: AuditEntry) -> None:
        former = self._primary(key.account)
        await asyncio.sleep(0)
        if former is not None:
            self.database.data_keys[former.id] = former.retire()
        self.database.data_keys[key.id] = key
        self.database.write(self.database.placed(audit))


class TornAdd(MemoryDataKeyStore):
    """Retires the former primary, and adds the new one a moment later."""

    async def add(self, key: DataKey, *, audit: AuditEntry) -> None:
        former = self._primary(key.account)
        if former is not None:
            self.database.data_keys[former.id] = former.retire()
            await asyncio.sleep(0)
        await super().add(key, audit=audit)
