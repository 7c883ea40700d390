"""Key stores with one fault each in what version 4 of the stores brought."""

import asyncio
from datetime import UTC, datetime

from attrs import evolve

from tollkeeper.adapters.memory.key_store import MemoryKeyStore
from tollkeeper.contracts.samples import an_api_key
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import Conflict


class NetworksForgotten(MemoryKeyStore):
    """Lets a key work from everywhere."""

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        await super().add(evolve(key, networks=()), audit=audit)


class OutagesForgotten(MemoryKeyStore):
    """Keeps limits, and not what becomes of them on an outage."""

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        limits = tuple(type(each)(each.limit) for each in key.limits)
        await super().add(evolve(key, limits=limits), audit=audit)


class TextsTidied(MemoryKeyStore):
    """Knows better how a text should look."""

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        await super().add(evolve(key, description=key.description.strip()), audit=audit)


class MetadataMerged(MemoryKeyStore):
    """Keeps what was there where there is nothing now."""

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        former = await self.get(account=key.account, key_id=key.id)
        metadata = {**former.metadata, **key.metadata}
        await super().replace(evolve(key, metadata=metadata), audit=audit)


class QuotaStays(MemoryKeyStore):
    """Takes no quota for one that does not change."""

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        former = await self.get(account=key.account, key_id=key.id)
        await super().replace(evolve(key, quota=key.quota or former.quota), audit=audit)


class AllKeysAsTheyCame(MemoryKeyStore):
    """Gives all keys in no order."""

    async def page(self, *, after: str | None = None, limit: int = 100) -> tuple[ApiKey, ...]:
        keys = [key for key in self.database.keys.values() if after is None or key.id > after]
        return tuple(keys[:limit])


class AllKeysFromThere(MemoryKeyStore):
    """Begins a page with the last key of the one before."""

    async def page(self, *, after: str | None = None, limit: int = 100) -> tuple[ApiKey, ...]:
        ids = sorted(key_id for key_id in self.database.keys if after is None or key_id >= after)
        return tuple(self.database.keys[key_id] for key_id in ids[:limit])


class RemovedForAWhile(MemoryKeyStore):
    """Hides a removed key from its account alone."""

    async def remove(self, key: ApiKey, *, audit: AuditEntry) -> None:
        await self._gone(key, audit)
        self.database.keys[key.id] = evolve(key, account="nobody")
        self.database.key_of_kid.update({secret.kid: key.id for secret in key.secrets})

    async def _gone(self, key: ApiKey, audit: AuditEntry) -> None:
        await super().remove(key, audit=audit)


class RemovalNotAudited(MemoryKeyStore):
    """Removes keys and tells nobody."""

    async def remove(self, key: ApiKey, *, audit: AuditEntry) -> None:
        await super().remove(key, audit=audit)
        self.database.audit[audit.account].pop()


class AnyVersionRemoved(MemoryKeyStore):
    """Does not look at what it removes."""

    async def remove(self, key: ApiKey, *, audit: AuditEntry) -> None:
        await super().remove(await self.get(account=key.account, key_id=key.id), audit=audit)


class AnybodyRemoves(MemoryKeyStore):
    """Does not look at whose key it removes."""

    async def remove(self, key: ApiKey, *, audit: AuditEntry) -> None:
        await super().remove(self.database.keys.get(key.id, key), audit=audit)


class RacyRemoval(MemoryKeyStore):
    """Compares the version, and removes a moment later."""

    async def remove(self, key: ApiKey, *, audit: AuditEntry) -> None:
        found = await self.get(account=key.account, key_id=key.id)
        if found.version != key.version:
            raise Conflict("someone changed the key first", code="key_changed")
        await asyncio.sleep(0)
        self.database.keys.pop(key.id, None)
        self.database.write(self.database.placed(audit))


class TornRemoval(MemoryKeyStore):
    """Removes the key, and its secrets a moment later."""

    async def remove(self, key: ApiKey, *, audit: AuditEntry) -> None:
        await self.get(account=key.account, key_id=key.id)
        del self.database.keys[key.id]
        await asyncio.sleep(0)
        self.database.keys[key.id] = key
        await super().remove(key, audit=audit)


class RacyTurns(MemoryKeyStore):
    """Looks at whose turn it is, and writes a moment later."""

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        placed = self.database.placed(audit)
        await asyncio.sleep(0)
        self.database.keys[key.id] = key
        self.database.key_of_kid.update({secret.kid: key.id for secret in key.secrets})
        self.database.write(placed)


class AnyKeyForUnknown(MemoryKeyStore):
    """Finds some key, whatever is asked for."""

    async def find(self, kid: str) -> ApiKey | None:
        return await super().find(kid) or evolve(SOME_KEY, id=kid)


SOME_KEY = an_api_key("somebody", at=datetime(2001, 1, 1, tzinfo=UTC))
