"""Key stores with one fault each, for the key store's suite to find."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import evolve

from tollkeeper.adapters.memory.key_store import MemoryKeyStore
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import Conflict, NotFound


class RacyReplace(MemoryKeyStore):
    """Compares the version, and writes a moment later."""

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        former = await self.get(account=key.account, key_id=key.id)
        if former.version != key.version - 1:
            raise Conflict("someone changed the key first")
        await asyncio.sleep(0)
        self._keep(key, audit)


class NothingCompared(MemoryKeyStore):
    """Takes any version."""

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        await self.get(account=key.account, key_id=key.id)
        self._keep(key, audit)


class RacyAdd(MemoryKeyStore):
    """Looks whether the id is taken, and writes a moment later."""

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        if key.id in self.database.keys:
            raise Conflict("the key's id is taken")
        await asyncio.sleep(0)
        self._keep(key, audit)


class AuditForgotten(MemoryKeyStore):
    """Changes keys and tells nobody."""

    def _keep(self, key: ApiKey, audit: AuditEntry) -> None:
        super()._keep(key, audit)
        self.database.audit[audit.account].pop()


class AuditOfRefused(MemoryKeyStore):
    """Tells of changes that did not happen."""

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        self.database.audit[audit.account].append(audit)
        await super().add(key, audit=audit)
        self.database.audit[audit.account].pop()

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        self.database.audit[audit.account].append(audit)
        await super().replace(key, audit=audit)
        self.database.audit[audit.account].pop()


class SharedKids(MemoryKeyStore):
    """Gives a kid to whoever asked last."""

    def _keep(self, key: ApiKey, audit: AuditEntry) -> None:
        for secret in key.secrets:
            self.database.key_of_kid.pop(secret.kid, None)
        super()._keep(key, audit)


class HalfAdded(MemoryKeyStore):
    """Writes the key before it knows whether its kids are free."""

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        if key.id in self.database.keys:
            raise Conflict("the key's id is taken")
        self.database.keys[key.id] = key
        self._keep(key, audit)


class GoneSecretsFound(MemoryKeyStore):
    """Finds a key by a secret that it no longer has."""

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        kids = dict(self.database.key_of_kid)
        await super().replace(key, audit=audit)
        self.database.key_of_kid.update(kids)


class CachedFinds(MemoryKeyStore):
    """Remembers what it found, whatever happens to it."""

    found: dict[str, ApiKey | None] = {}  # noqa: RUF012 - no kid is used twice

    async def find(self, kid: str) -> ApiKey | None:
        if kid not in self.found:
            self.found[kid] = await super().find(kid)
        return self.found[kid]


class AccountBlind(MemoryKeyStore):
    """Shows and changes anybody's keys."""

    def _key(self, account: str, key_id: str) -> ApiKey:
        if key_id not in self.database.keys:
            raise NotFound("no such key")
        return self.database.keys[key_id]


class ListsEverybody(MemoryKeyStore):
    """Lists the keys of all accounts."""

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[ApiKey, ...]:
        return tuple(self.database.keys.values())


class PagesOffByOne(MemoryKeyStore):
    """Begins a page with the last key of the one before."""

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[ApiKey, ...]:
        page = await super().list(account=account, limit=limit, after=after)
        last = () if after is None or not page else (self._key(account, after),)
        return (*last, *page)[:limit]


class PagesByTimeAlone(MemoryKeyStore):
    """Passes over keys that were made in the same moment as the last of the page before."""

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[ApiKey, ...]:
        page = await super().list(account=account, limit=limit, after=after)
        last = None if after is None else self._key(account, after).created_at
        return tuple(key for key in page if last is None or key.created_at > last)


class LastUseGoesBack(MemoryKeyStore):
    """Takes the last word for the latest."""

    async def mark_used(self, uses: Mapping[str, datetime]) -> None:
        for key_id, at in uses.items():
            if key_id in self.database.keys:
                key = self.database.keys[key_id]
                self.database.keys[key_id] = evolve(key, last_used_at=at)


class RacyUse(MemoryKeyStore):
    """Looks at the last use, and writes a moment later."""

    async def mark_used(self, uses: Mapping[str, datetime]) -> None:
        later = {}
        for key_id, at in uses.items():
            key = self.database.keys.get(key_id)
            if key is not None and (key.last_used_at is None or key.last_used_at < at):
                later[key_id] = at
        await asyncio.sleep(0)
        for key_id, at in later.items():
            self.database.keys[key_id] = evolve(self.database.keys[key_id], last_used_at=at)


class ReplaceMovesLastUse(MemoryKeyStore):
    """Takes the last use from whoever read the key some time ago."""

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        await super().replace(key, audit=audit)
        self.database.keys[key.id] = key


class SwallowedErrors(MemoryKeyStore):
    """Says that all went well, whatever happened."""

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        try:
            await super().add(key, audit=audit)
        except Conflict:
            return

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        try:
            await super().replace(key, audit=audit)
        except (Conflict, NotFound):
            return


class TornChange(MemoryKeyStore):
    """Writes the change, and the audit entry a moment later."""

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        await super().add(key, audit=audit)
        self.database.audit[audit.account].remove(audit)
        await asyncio.sleep(0)
        self.database.audit[audit.account].append(audit)


class WholeSeconds(MemoryKeyStore):
    """Keeps no fraction of a second."""

    async def add(self, key: ApiKey, **call: Any) -> None:
        await super().add(evolve(key, created_at=key.created_at.replace(microsecond=0)), **call)


class ReplacesSecretsOnly(MemoryKeyStore):
    """Forgets that more than the secrets may change."""

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        former = await self.get(account=key.account, key_id=key.id)
        changed = evolve(key, name=former.name, scopes=former.scopes, expires_at=former.expires_at)
        await super().replace(changed, audit=audit)
