"""The contract of :class:`tollkeeper.ports.credential_store.CredentialStore`."""

from datetime import datetime, timedelta

import pytest
from attrs import evolve

from tollkeeper.contracts.credential_store_changes import CredentialStoreChanges
from tollkeeper.contracts.credential_store_concurrency import CredentialStoreConcurrency
from tollkeeper.contracts.samples import (
    ODD_TEXT,
    a_data_key,
    a_stored_credential,
    an_audit_entry,
    new_id,
)
from tollkeeper.domain.credentials import StoredCredential
from tollkeeper.domain.encryption import DataKey
from tollkeeper.domain.errors import NotFound
from tollkeeper.ports.credential_store import CredentialStore
from tollkeeper.ports.data_key_store import DataKeyStore


class CredentialStoreContract(CredentialStoreChanges, CredentialStoreConcurrency):
    """What every credential store promises.

    Fixtures: ``credential_store``, ``data_key_store`` and ``audit_log`` of the same store.
    """

    async def test_credential_comes_back_as_given(
        self, credential_store: CredentialStore, account: str, data_key: DataKey, now: datetime
    ) -> None:
        plain = a_stored_credential(account, at=now, data_key_id=data_key.id)
        odd = StoredCredential(
            id=new_id("credential"),
            account=account,
            provider="open-router",
            base_url="https://host.example:8443/a/very/long/path?" + "x" * 200,
            label=ODD_TEXT,
            sealed=bytes(range(256)) * 40,
            data_key_id=data_key.id,
            created_at=now + timedelta(microseconds=123_456),
        )
        for credential in (plain, odd):
            await credential_store.add(credential, audit=an_audit_entry(account, at=now))
            found = await credential_store.get(account=account, credential_id=credential.id)
            assert found == credential
            assert found.sealed == credential.sealed
        assert await credential_store.list(account=account) == (plain, odd)
        assert set(await credential_store.encrypted_with(data_key.id)) == {plain, odd}

    async def test_unknown_credential_is_not_there(
        self, credential_store: CredentialStore, account: str
    ) -> None:
        assert await credential_store.list(account=account) == ()
        assert await credential_store.encrypted_with(new_id("dek")) == ()
        with pytest.raises(NotFound) as refused:
            await credential_store.get(account=account, credential_id=new_id("credential"))
        assert refused.value.code == "credential_not_found"

    async def test_credential_of_another_account_is_not_there(
        self, credential_store: CredentialStore, account: str, data_key: DataKey, now: datetime
    ) -> None:
        mine = a_stored_credential(account, at=now, data_key_id=data_key.id)
        await credential_store.add(mine, audit=an_audit_entry(account, at=now))
        other = f"{account}-other"
        with pytest.raises(NotFound) as refused:
            await credential_store.get(account=other, credential_id=mine.id)
        assert refused.value.code == "credential_not_found"
        assert await credential_store.list(account=other) == ()
        with pytest.raises(NotFound):
            await credential_store.list(account=other, after=mine.id)

    async def test_credentials_come_in_pages(
        self, credential_store: CredentialStore, account: str, data_key: DataKey, now: datetime
    ) -> None:
        credentials = [
            a_stored_credential(
                account,
                at=now + timedelta(microseconds=n // 3),
                data_key_id=data_key.id,
                label=f"label {n}",
            )
            for n in range(5)
        ]
        for credential in reversed(credentials):
            await credential_store.add(credential, audit=an_audit_entry(account, at=now))
        credentials.sort(key=lambda credential: (credential.created_at, credential.id))
        seen: list[StoredCredential] = []
        sizes = []
        while page := await credential_store.list(
            account=account, limit=2, after=seen[-1].id if seen else None
        ):
            seen += page
            sizes.append(len(page))
        assert seen == credentials
        assert sizes == [2, 2, 1]
        with pytest.raises(NotFound):
            await credential_store.list(account=account, after=new_id("credential"))

    async def test_credentials_under_a_data_key_come_in_pages_by_id(
        self,
        credential_store: CredentialStore,
        data_key_store: DataKeyStore,
        account: str,
        data_key: DataKey,
        now: datetime,
    ) -> None:
        other = a_data_key(account, at=now)
        await data_key_store.add(other, audit=an_audit_entry(account, at=now))
        credentials = [
            a_stored_credential(
                account,
                at=now - timedelta(seconds=n),
                data_key_id=(other if n == 3 else data_key).id,
                label=f"label {n}",
            )
            for n in range(6)
        ]
        for credential in credentials:
            await credential_store.add(credential, audit=an_audit_entry(account, at=now))
        (there,) = await credential_store.encrypted_with(other.id)
        assert there == credentials.pop(3)
        credentials.sort(key=lambda credential: credential.id)
        seen: list[StoredCredential] = []
        sizes = []
        after: str | None = None
        while page := await credential_store.encrypted_with(data_key.id, limit=2, after=after):
            seen += page
            sizes.append(len(page))
            after = page[-1].id
            if len(seen) == 2:  # one that is moved meanwhile need not be there any more
                moved = evolve(page[-1], data_key_id=other.id, version=2)
                await credential_store.replace(moved, audit=None)
        assert seen == credentials
        assert sizes == [2, 2, 1]
