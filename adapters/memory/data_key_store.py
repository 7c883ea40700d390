"""Data keys in the memory of the process."""

from datetime import datetime

from attrs import field, frozen

from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.encryption import DataKey, DataKeyState, destroyed
from tollkeeper.domain.errors import Conflict, NotFound


@frozen
class MemoryDataKeyStore:
    """Keeps data keys, wrapped, in *database*."""

    database: MemoryDatabase = field(factory=MemoryDatabase)

    async def add(self, key: DataKey, *, audit: AuditEntry) -> None:
        """Keep a new data key."""
        if key.id in self.database.data_keys:
            raise Conflict("the data key's id is taken", code="data_key_taken")
        placed = self.database.placed(audit)
        former = self._primary(key.account)
        if former is not None and key.state is DataKeyState.PRIMARY:
            self.database.data_keys[former.id] = former.retire()
        self.database.data_keys[key.id] = key
        self.database.write(placed)

    async def primary_of(self, account: str) -> DataKey | None:
        """Return the account's primary data key."""
        return self._primary(account)

    async def get(self, *, account: str, data_key_id: str) -> DataKey:
        """Return the account's data key."""
        return self._data_key(account, data_key_id)

    async def of_account(self, account: str) -> tuple[DataKey, ...]:
        """Return all data keys of the account."""
        keys = (key for key in self.database.data_keys.values() if key.account == account)
        return tuple(sorted(keys, key=_position))

    async def replace(self, key: DataKey, *, audit: AuditEntry) -> None:
        """Put a data key in the place of its former version."""
        former = self._data_key(key.account, key.id)
        if former.version != key.version - 1:
            raise Conflict(
                "someone changed the data key first; read it again", code="data_key_changed"
            )
        if former.state is DataKeyState.DESTROYED:
            raise destroyed()
        primary = self._primary(key.account)
        if key.state is DataKeyState.PRIMARY and primary not in (None, former):
            raise Conflict("the account has another primary data key", code="data_key_changed")
        if key.state is DataKeyState.DESTROYED:
            self._require_unused(key.id)
        placed = self.database.placed(audit)
        self.database.data_keys[key.id] = key
        self.database.write(placed)

    async def destroy(self, *, account: str, data_key_id: str, audit: AuditEntry) -> None:
        """Erase the wrapped bytes."""
        key = self._data_key(account, data_key_id)
        if key.state is DataKeyState.DESTROYED:
            return
        self._require_unused(key.id)
        placed = self.database.placed(audit)
        self.database.data_keys[key.id] = key.destroy()
        self.database.write(placed)

    async def page(self, *, after: str | None = None, limit: int = 100) -> tuple[DataKey, ...]:
        """Return a page of all accounts' data keys that are not destroyed."""
        keys = (
            key
            for key in self.database.data_keys.values()
            if key.state is not DataKeyState.DESTROYED and (after is None or key.id > after)
        )
        return tuple(sorted(keys, key=lambda key: key.id)[:limit])

    def _data_key(self, account: str, data_key_id: str) -> DataKey:
        key = self.database.data_keys.get(data_key_id)
        if key is None or key.account != account:
            raise NotFound("no such data key", code="data_key_not_found")
        return key

    def _require_unused(self, data_key_id: str) -> None:
        if any(each.data_key_id == data_key_id for each in self.database.credentials.values()):
            raise Conflict(
                "values are still encrypted with the data key; encrypt them anew first",
                code="data_key_in_use",
            )

    def _primary(self, account: str) -> DataKey | None:
        keys = (key for key in self.database.data_keys.values() if key.account == account)
        return next((key for key in keys if key.state is DataKeyState.PRIMARY), None)


def _position(key: DataKey) -> tuple[datetime, str]:
    return key.created_at, key.id
