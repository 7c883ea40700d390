"""How an account's credentials change."""

from datetime import datetime

import pytest
from attrs import evolve

from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.samples import a_data_key, a_stored_credential, an_audit_entry, new_id
from tollkeeper.domain.encryption import DataKey, DataKeyState
from tollkeeper.domain.errors import Conflict, NotFound
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.credential_store import CredentialStore
from tollkeeper.ports.data_key_store import DataKeyStore


class CredentialStoreChanges(Contract):
    """Adding, replacing, removing and forgetting credentials, each with its audit entry."""

    @pytest.fixture
    async def data_key(self, data_key_store: DataKeyStore, account: str, now: datetime) -> DataKey:
        """Make the account's data key."""
        key = a_data_key(account, at=now)
        await data_key_store.add(key, audit=an_audit_entry(account, at=now))
        return key

    async def test_replaced_credential_is_seen_at_once(
        self,
        credential_store: CredentialStore,
        data_key_store: DataKeyStore,
        audit_log: AuditLog,
        account: str,
        data_key: DataKey,
        now: datetime,
    ) -> None:
        first = a_stored_credential(account, at=now, data_key_id=data_key.id)
        await credential_store.add(first, audit=an_audit_entry(account, at=now))
        audit = an_audit_entry(account, at=now)
        second = evolve(
            first,
            provider="other",
            base_url="https://other.example.com",
            label="second",
            sealed=b"\x00second" * 9,
            version=2,
        )
        await credential_store.replace(second, audit=audit)
        assert await credential_store.get(account=account, credential_id=first.id) == second
        assert (await audit_log.entries(account=account))[-1] == audit
        entries = await audit_log.entries(account=account)
        mine = a_data_key(account, at=now)
        await data_key_store.add(mine, audit=an_audit_entry(f"{account}-x", at=now))
        third = evolve(second, data_key_id=mine.id, sealed=b"third" * 9, version=3)
        await credential_store.replace(third, audit=None)
        found = await credential_store.get(account=account, credential_id=first.id)
        assert (found, found.sealed) == (third, third.sealed)
        assert await credential_store.encrypted_with(mine.id) == (third,)
        assert await credential_store.encrypted_with(data_key.id) == ()
        assert await audit_log.entries(account=account) == entries

    @pytest.mark.parametrize("step", [-1, 0, 2])
    async def test_only_the_next_version_replaces(
        self,
        credential_store: CredentialStore,
        audit_log: AuditLog,
        account: str,
        data_key: DataKey,
        now: datetime,
        step: int,
    ) -> None:
        first = a_stored_credential(account, at=now, data_key_id=data_key.id)
        await credential_store.add(first, audit=an_audit_entry(account, at=now))
        second = evolve(first, sealed=b"second" * 9, version=2)
        await credential_store.replace(second, audit=an_audit_entry(account, at=now))
        entries = await audit_log.entries(account=account)
        change = evolve(second, sealed=b"third" * 9, version=2 + step)
        for audit in (an_audit_entry(account, at=now), None):
            with pytest.raises(Conflict) as refused:
                await credential_store.replace(change, audit=audit)
            assert refused.value.code == "credential_changed"
        if step:
            with pytest.raises(Conflict) as refused:
                await credential_store.remove(change, audit=an_audit_entry(account, at=now))
            assert refused.value.code == "credential_changed"
        assert await credential_store.get(account=account, credential_id=first.id) == second
        assert await audit_log.entries(account=account) == entries

    async def test_removed_credential_is_gone(
        self,
        credential_store: CredentialStore,
        audit_log: AuditLog,
        account: str,
        data_key: DataKey,
        now: datetime,
    ) -> None:
        mine = a_stored_credential(account, at=now, data_key_id=data_key.id)
        await credential_store.add(mine, audit=an_audit_entry(account, at=now))
        audit = an_audit_entry(account, at=now)
        await credential_store.remove(mine, audit=audit)
        assert await credential_store.list(account=account) == ()
        assert await credential_store.encrypted_with(data_key.id) == ()
        entries = await audit_log.entries(account=account)
        assert entries[-1] == audit
        for change in (
            credential_store.get(account=account, credential_id=mine.id),
            credential_store.remove(mine, audit=an_audit_entry(account, at=now)),
            credential_store.replace(evolve(mine, version=2), audit=None),
        ):
            with pytest.raises(NotFound) as refused:
                await change
            assert refused.value.code == "credential_not_found"
        assert await audit_log.entries(account=account) == entries
        again = a_stored_credential(account, at=now, data_key_id=data_key.id)  # its label is free
        await credential_store.add(again, audit=an_audit_entry(account, at=now))

    async def test_credential_that_is_not_the_accounts_is_not_changed(
        self,
        credential_store: CredentialStore,
        data_key_store: DataKeyStore,
        audit_log: AuditLog,
        account: str,
        data_key: DataKey,
        now: datetime,
    ) -> None:
        other = f"{account}-other"
        theirs = a_data_key(other, at=now)
        await data_key_store.add(theirs, audit=an_audit_entry(other, at=now))
        mine = a_stored_credential(account, at=now, data_key_id=data_key.id)
        await credential_store.add(mine, audit=an_audit_entry(account, at=now))
        entries = await audit_log.entries(account=other)
        taken = evolve(mine, account=other, data_key_id=theirs.id)
        for change in (
            credential_store.replace(evolve(taken, version=2), audit=an_audit_entry(other, at=now)),
            credential_store.remove(taken, audit=an_audit_entry(other, at=now)),
        ):
            with pytest.raises(NotFound):
                await change
        assert await credential_store.list(account=account) == (mine,)
        assert await audit_log.entries(account=other) == entries

    async def test_account_has_one_credential_of_a_provider_and_label(
        self,
        credential_store: CredentialStore,
        data_key_store: DataKeyStore,
        audit_log: AuditLog,
        account: str,
        data_key: DataKey,
        now: datetime,
    ) -> None:
        first = a_stored_credential(account, at=now, data_key_id=data_key.id)
        second = evolve(first, id=new_id("credential"), label="second")
        elsewhere = evolve(first, id=new_id("credential"), provider="other")
        for each in (first, second, elsewhere):
            await credential_store.add(each, audit=an_audit_entry(account, at=now))
        entries = await audit_log.entries(account=account)
        same = a_stored_credential(account, at=now, data_key_id=data_key.id)
        with pytest.raises(Conflict) as refused:
            await credential_store.add(same, audit=an_audit_entry(account, at=now))
        assert refused.value.code == "credential_exists"
        with pytest.raises(Conflict) as refused:
            await credential_store.replace(
                evolve(second, label=first.label, version=2), audit=an_audit_entry(account, at=now)
            )
        assert refused.value.code == "credential_exists"
        with pytest.raises(Conflict) as refused:
            await credential_store.add(
                evolve(first, label="third"), audit=an_audit_entry(account, at=now)
            )
        assert refused.value.code == "credential_exists"
        found = await credential_store.list(account=account)
        assert {each.id: each for each in found} == {
            each.id: each for each in (first, second, elsewhere)
        }
        assert await audit_log.entries(account=account) == entries
        other = f"{account}-other"
        theirs = a_data_key(other, at=now)
        await data_key_store.add(theirs, audit=an_audit_entry(other, at=now))
        with pytest.raises(Conflict) as refused:
            await credential_store.add(
                evolve(first, account=other, data_key_id=theirs.id),
                audit=an_audit_entry(other, at=now),
            )
        assert refused.value.code == "credential_exists"
        same = a_stored_credential(other, at=now, data_key_id=theirs.id)
        await credential_store.add(same, audit=an_audit_entry(other, at=now))

    @pytest.mark.parametrize("which", ["unknown", "destroyed", "of another account"])
    async def test_data_key_has_to_be_there(
        self,
        credential_store: CredentialStore,
        data_key_store: DataKeyStore,
        audit_log: AuditLog,
        account: str,
        data_key: DataKey,
        now: datetime,
        which: str,
    ) -> None:
        owner = f"{account}-other" if which == "of another account" else account
        bad = a_data_key(owner, at=now, state=DataKeyState.READABLE)
        if which != "unknown":
            await data_key_store.add(bad, audit=an_audit_entry(owner, at=now))
        if which == "destroyed":
            await data_key_store.destroy(
                account=account, data_key_id=bad.id, audit=an_audit_entry(account, at=now)
            )
        good = a_stored_credential(account, at=now, data_key_id=data_key.id)
        await credential_store.add(good, audit=an_audit_entry(account, at=now))
        entries = await audit_log.entries(account=account)
        new = a_stored_credential(account, at=now, data_key_id=bad.id, label="new")
        moved = evolve(good, data_key_id=bad.id, version=2)
        for change in (
            credential_store.add(new, audit=an_audit_entry(account, at=now)),
            credential_store.replace(moved, audit=an_audit_entry(account, at=now)),
            credential_store.replace(moved, audit=None),
        ):
            with pytest.raises(Conflict) as refused:
                await change
            assert refused.value.code == "data_key_destroyed"
        assert await credential_store.list(account=account) == (good,)
        assert await audit_log.entries(account=account) == entries
