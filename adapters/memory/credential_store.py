"""Accounts' provider credentials in the memory of the process, encrypted."""

from datetime import datetime

from attrs import field, frozen

from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.credentials import StoredCredential
from tollkeeper.domain.encryption import DataKeyState, destroyed
from tollkeeper.domain.errors import Conflict, NotFound


@frozen
class MemoryCredentialStore:
    """Keeps credentials in *database* as they were encrypted."""

    database: MemoryDatabase = field(factory=MemoryDatabase)

    async def add(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        """Keep a new credential."""
        if credential.id in self.database.credentials:
            raise Conflict("the credential's id is taken; make a new one", code="credential_exists")
        self._keep(credential, audit)

    async def get(self, *, account: str, credential_id: str) -> StoredCredential:
        """Return the account's credential."""
        return self._credential(account, credential_id)

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[StoredCredential, ...]:
        """Return a page of the account's credentials."""
        found = [each for each in self.database.credentials.values() if each.account == account]
        if after is not None:
            last = _position(self._credential(account, after))
            found = [each for each in found if _position(each) > last]
        return tuple(sorted(found, key=_position)[:limit])

    async def replace(self, credential: StoredCredential, *, audit: AuditEntry | None) -> None:
        """Put a credential in the place of its former version."""
        self._require(credential, version=credential.version - 1)
        self._keep(credential, audit)

    async def remove(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        """Take a credential away."""
        self._require(credential, version=credential.version)
        placed = self.database.placed(audit)
        del self.database.credentials[credential.id]
        self.database.write(placed)

    async def encrypted_with(
        self, data_key_id: str, *, after: str | None = None, limit: int = 100
    ) -> tuple[StoredCredential, ...]:
        """Return a page of the credentials under a data key."""
        found = (
            each
            for each in self.database.credentials.values()
            if each.data_key_id == data_key_id and (after is None or each.id > after)
        )
        return tuple(sorted(found, key=lambda each: each.id)[:limit])

    async def forget(self, account: str, *, audit: AuditEntry) -> int:
        """Take all credentials of the account away, and destroy its data keys."""
        placed = self.database.placed(audit)
        gone = [each.id for each in self.database.credentials.values() if each.account == account]
        for credential_id in gone:
            del self.database.credentials[credential_id]
        for key in self.database.data_keys.values():
            if key.account == account:
                self.database.data_keys[key.id] = key.destroy()
        self.database.write(placed)
        return len(gone)

    def _credential(self, account: str, credential_id: str) -> StoredCredential:
        found = self.database.credentials.get(credential_id)
        if found is None or found.account != account:
            raise NotFound("no such credential", code="credential_not_found")
        return found

    def _require(self, credential: StoredCredential, *, version: int) -> None:
        if self._credential(credential.account, credential.id).version != version:
            raise Conflict(
                "someone changed the credential first; read it again", code="credential_changed"
            )

    def _keep(self, credential: StoredCredential, audit: AuditEntry | None) -> None:
        key = self.database.data_keys.get(credential.data_key_id)
        if key is None or key.account != credential.account or key.state is DataKeyState.DESTROYED:
            raise destroyed()
        others = self.database.credentials.values()
        if any(_name(each) == _name(credential) and each.id != credential.id for each in others):
            raise Conflict(
                "the account has a credential of that provider and label; replace it, or choose "
                "another label",
                code="credential_exists",
            )
        placed = None if audit is None else self.database.placed(audit)
        self.database.credentials[credential.id] = credential
        if placed is not None:
            self.database.write(placed)


def _position(credential: StoredCredential) -> tuple[datetime, str]:
    return credential.created_at, credential.id


def _name(credential: StoredCredential) -> tuple[str, str, str]:
    return credential.account, credential.provider, credential.label
