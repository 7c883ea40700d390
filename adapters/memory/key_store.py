"""API keys in the memory of the process."""

from collections.abc import Mapping
from datetime import datetime

from attrs import evolve, field, frozen

from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import Conflict, NotFound


@frozen
class MemoryKeyStore:
    """Keeps API keys in *database*."""

    database: MemoryDatabase = field(factory=MemoryDatabase)

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Keep a new key."""
        if key.id in self.database.keys:
            raise Conflict("the key's id is taken", code="key_id_taken")
        self._keep(key, audit)

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Put a key in the place of its former version."""
        former = self._key(key.account, key.id)
        if former.version != key.version - 1:
            raise Conflict("someone changed the key first; read it again", code="key_changed")
        self._keep(evolve(key, last_used_at=former.last_used_at), audit)

    async def remove(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Take a key away with its secrets."""
        former = self._key(key.account, key.id)
        if former.version != key.version:
            raise Conflict("someone changed the key first; read it again", code="key_changed")
        placed = self.database.placed(audit)
        for secret in former.secrets:
            del self.database.key_of_kid[secret.kid]
        del self.database.keys[key.id]
        self.database.write(placed)

    async def get(self, *, account: str, key_id: str) -> ApiKey:
        """Return the account's key."""
        return self._key(account, key_id)

    async def find(self, kid: str) -> ApiKey | None:
        """Return the key that has the secret."""
        key_id = self.database.key_of_kid.get(kid)
        return None if key_id is None else self.database.keys[key_id]

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[ApiKey, ...]:
        """Return a page of the account's keys."""
        keys = [key for key in self.database.keys.values() if key.account == account]
        if after is not None:
            last = _position(self._key(account, after))
            keys = [key for key in keys if _position(key) > last]
        return tuple(sorted(keys, key=_position)[:limit])

    async def page(self, *, after: str | None = None, limit: int = 100) -> tuple[ApiKey, ...]:
        """Return a page of all accounts' keys."""
        ids = sorted(key_id for key_id in self.database.keys if after is None or key_id > after)
        return tuple(self.database.keys[key_id] for key_id in ids[:limit])

    async def mark_used(self, uses: Mapping[str, datetime]) -> None:
        """Note when keys were last used."""
        for key_id, at in uses.items():
            key = self.database.keys.get(key_id)
            if key is not None and (key.last_used_at is None or key.last_used_at < at):
                self.database.keys[key_id] = evolve(key, last_used_at=at)

    def _key(self, account: str, key_id: str) -> ApiKey:
        key = self.database.keys.get(key_id)
        if key is None or key.account != account:
            raise NotFound("no such key", code="key_not_found")
        return key

    def _keep(self, key: ApiKey, audit: AuditEntry) -> None:
        kids = {secret.kid for secret in key.secrets}
        if any(self.database.key_of_kid.get(kid, key.id) != key.id for kid in kids):
            raise Conflict("the kid of a secret is taken", code="kid_taken")
        placed = self.database.placed(audit)
        former = self.database.keys.get(key.id, key)
        for secret in former.secrets:
            self.database.key_of_kid.pop(secret.kid, None)
        self.database.key_of_kid.update(dict.fromkeys(kids, key.id))
        self.database.keys[key.id] = key
        self.database.write(placed)


def _position(key: ApiKey) -> tuple[datetime, str]:
    return key.created_at, key.id
