"""Credential stores with one fault each, for the credential store's suite to find."""

import asyncio

from attrs import evolve

from tollkeeper.adapters.memory.credential_store import MemoryCredentialStore
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.credentials import StoredCredential
from tollkeeper.domain.encryption import DataKeyState, destroyed
from tollkeeper.domain.errors import Conflict, NotFound


class SealedAsText(MemoryCredentialStore):
    """Takes what is sealed for a text."""

    async def add(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        sealed = credential.sealed.decode("ascii", "ignore").encode()
        await super().add(evolve(credential, sealed=sealed), audit=audit)


class WholeSeconds(MemoryCredentialStore):
    """Keeps no fraction of a second."""

    async def add(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        created_at = credential.created_at.replace(microsecond=0)
        await super().add(evolve(credential, created_at=created_at), audit=audit)


class AnotherNameForNotFound(MemoryCredentialStore):
    """Says that nothing is there, and not what."""

    def _credential(self, account: str, credential_id: str) -> StoredCredential:
        try:
            return super()._credential(account, credential_id)
        except NotFound:
            raise NotFound("no such thing") from None


class AccountBlind(MemoryCredentialStore):
    """Shows and changes anybody's credentials."""

    def _credential(self, account: str, credential_id: str) -> StoredCredential:
        if credential_id not in self.database.credentials:
            raise NotFound("no such credential", code="credential_not_found")
        return self.database.credentials[credential_id]


class PagesOffByOne(MemoryCredentialStore):
    """Begins a page with the last credential of the one before."""

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[StoredCredential, ...]:
        page = await super().list(account=account, limit=limit, after=after)
        last = () if after is None or not page else (self._credential(account, after),)
        return (*last, *page)[:limit]


class PagesThatNeedTheLast(MemoryCredentialStore):
    """Goes on from where the last credential stands now."""

    async def encrypted_with(
        self, data_key_id: str, *, after: str | None = None, limit: int = 100
    ) -> tuple[StoredCredential, ...]:
        found = await super().encrypted_with(data_key_id, limit=1000)
        ids = [each.id for each in found]
        start = 0 if after is None or after not in ids else ids.index(after) + 1
        return found[start : start + limit]


class EncryptedWithAnything(MemoryCredentialStore):
    """Gives the credentials under all data keys."""

    async def encrypted_with(
        self, data_key_id: str, *, after: str | None = None, limit: int = 100
    ) -> tuple[StoredCredential, ...]:
        found = [e for e in self.database.credentials.values() if after is None or e.id > after]
        return tuple(sorted(found, key=lambda each: each.id)[:limit])


class DataKeyStays(MemoryCredentialStore):
    """Replaces what is sealed, and not the name of its data key."""

    async def replace(self, credential: StoredCredential, *, audit: AuditEntry | None) -> None:
        former = self._credential(credential.account, credential.id)
        same = evolve(credential, data_key_id=former.data_key_id)
        await super().replace(same, audit=audit)


class AuditsTheMove(MemoryCredentialStore):
    """Writes an entry where nothing is to be told."""

    async def replace(self, credential: StoredCredential, *, audit: AuditEntry | None) -> None:
        told = AuditEntry(
            *("moved", credential.created_at, credential.account, "store", "moved", credential.id)
        )
        await super().replace(credential, audit=audit or told)


class NothingCompared(MemoryCredentialStore):
    """Takes any version."""

    async def replace(self, credential: StoredCredential, *, audit: AuditEntry | None) -> None:
        former = self._credential(credential.account, credential.id)
        await super().replace(evolve(credential, version=former.version + 1), audit=audit)


class AnyVersionRemoved(MemoryCredentialStore):
    """Does not look at what it removes."""

    async def remove(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        former = self._credential(credential.account, credential.id)
        await super().remove(former, audit=audit)


class RacyReplace(MemoryCredentialStore):
    """Compares the version, and writes a moment later."""

    async def replace(self, credential: StoredCredential, *, audit: AuditEntry | None) -> None:
        self._require(credential, version=credential.version - 1)
        await asyncio.sleep(0)
        self._keep(credential, audit)


class RemovedInName(MemoryCredentialStore):
    """Hides a removed credential from its account, and has it all the same."""

    async def remove(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        await super().remove(credential, audit=audit)
        self.database.credentials[credential.id] = evolve(credential, account="nobody")


class LabelsShared(MemoryCredentialStore):
    """Keeps any number of credentials of one label."""

    def _keep(self, credential: StoredCredential, audit: AuditEntry | None) -> None:
        others = dict(self.database.credentials)
        self.database.credentials.clear()
        try:
            super()._keep(credential, audit)
        finally:
            self.database.credentials.update(
                {name: each for name, each in others.items() if name != credential.id}
            )


class LabelsOfEveryone(MemoryCredentialStore):
    """Lets no two accounts have the same label."""

    def _keep(self, credential: StoredCredential, audit: AuditEntry | None) -> None:
        others = self.database.credentials.values()
        if any(e.label == credential.label and e.account != credential.account for e in others):
            raise Conflict("the label is taken", code="credential_exists")
        super()._keep(credential, audit)


class TakenByNoName(MemoryCredentialStore):
    """Does not say what it is that is there already."""

    async def add(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        if credential.id in self.database.credentials:
            raise Conflict("an id is taken already; make a new one")
        await super().add(credential, audit=audit)


class RacyLabels(MemoryCredentialStore):
    """Looks whether the label is free, and writes a moment later."""

    async def add(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        for each in self.database.credentials.values():
            if each.label == credential.label:
                raise Conflict("the label is taken", code="credential_exists")
        await asyncio.sleep(0)
        self.database.credentials[credential.id] = credential
        self.database.write(self.database.placed(audit))


class AnyDataKey(MemoryCredentialStore):
    """Does not look at the data key."""

    def _keep(self, credential: StoredCredential, audit: AuditEntry | None) -> None:
        placed = None if audit is None else self.database.placed(audit)
        self.database.credentials[credential.id] = credential
        if placed is not None:
            self.database.write(placed)


class RacyDataKey(MemoryCredentialStore):
    """Looks at the data key, and writes a moment later."""

    async def add(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        key = self.database.data_keys.get(credential.data_key_id)
        if key is None or key.state is DataKeyState.DESTROYED:
            raise destroyed()
        await asyncio.sleep(0)
        self.database.credentials[credential.id] = credential
        self.database.write(self.database.placed(audit))


class DataKeysStay(MemoryCredentialStore):
    """Forgets credentials, and leaves the data keys."""

    async def forget(self, account: str, *, audit: AuditEntry) -> int:
        keys = dict(self.database.data_keys)
        count = await super().forget(account, audit=audit)
        self.database.data_keys.update(keys)
        return count


class ForgetsEveryone(MemoryCredentialStore):
    """Forgets all accounts."""

    async def forget(self, account: str, *, audit: AuditEntry) -> int:
        count = await super().forget(account, audit=audit)
        self.database.credentials.clear()
        return count


class NothingToForget(MemoryCredentialStore):
    """Writes nothing where nothing was there."""

    async def forget(self, account: str, *, audit: AuditEntry) -> int:
        count = await super().forget(account, audit=audit)
        if not count:
            self.database.audit[account].pop()
        return count


class TornForgetting(MemoryCredentialStore):
    """Takes one credential away after the other."""

    async def forget(self, account: str, *, audit: AuditEntry) -> int:
        count = 0
        for credential in await self.list(account=account):
            del self.database.credentials[credential.id]
            count += 1
            await asyncio.sleep(0)
        return count + await super().forget(account, audit=audit)


class TornChange(MemoryCredentialStore):
    """Writes the change, and the audit entry a moment later."""

    async def add(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        if credential.id in self.database.credentials:
            raise Conflict("an id is taken already")
        self._keep(credential, None)
        await asyncio.sleep(0)
        self.database.write(self.database.placed(audit))
