"""How data keys change, are destroyed, and what many at once see of it."""

import asyncio
from datetime import datetime, timedelta

import pytest
from attrs import evolve

from tollkeeper.contracts.audit_turns import Change, kept_in_turn, refused_out_of_turn
from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.samples import a_data_key, a_stored_credential, an_audit_entry, new_id
from tollkeeper.domain.encryption import DataKey, DataKeyState, WrappedKey
from tollkeeper.domain.errors import Conflict, NotFound
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.credential_store import CredentialStore
from tollkeeper.ports.data_key_store import DataKeyStore


async def added(data_key_store: DataKeyStore, key: DataKey) -> DataKey:
    """Add *key*, and return it."""
    await data_key_store.add(key, audit=an_audit_entry(key.account, at=key.created_at))
    return key


class DataKeyStoreChanges(Contract):
    """Replacing and destroying data keys, each with its audit entry."""

    async def test_replaced_data_key_is_seen_at_once(
        self, data_key_store: DataKeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        first = await added(data_key_store, a_data_key(account, at=now))
        again = first.rewrap(WrappedKey("arn:aws:kms:eu-west-1:1:key/2", b"\x00\xff" * 60))
        for key in (again, again.retire()):
            audit = an_audit_entry(account, at=now)
            await data_key_store.replace(key, audit=audit)
            found = await data_key_store.get(account=account, data_key_id=key.id)
            assert found == key
            assert found.wrapped.ciphertext == key.wrapped.ciphertext
            assert await data_key_store.of_account(account) == (key,)
            assert (await audit_log.entries(account=account))[-1] == audit
        assert await data_key_store.primary_of(account) is None

    @pytest.mark.parametrize("step", [-1, 0, 2])
    async def test_only_the_next_version_replaces(
        self,
        data_key_store: DataKeyStore,
        audit_log: AuditLog,
        account: str,
        now: datetime,
        step: int,
    ) -> None:
        key = await added(data_key_store, a_data_key(account, at=now))
        second = key.rewrap(WrappedKey("local/2", b"2" * 60))
        await data_key_store.replace(second, audit=an_audit_entry(account, at=now))
        entries = await audit_log.entries(account=account)
        change = evolve(
            second, wrapped=WrappedKey("local/3", b"3" * 60), version=second.version + step
        )
        with pytest.raises(Conflict) as refused:
            await data_key_store.replace(change, audit=an_audit_entry(account, at=now))
        assert refused.value.code == "data_key_changed"
        assert await data_key_store.get(account=account, data_key_id=key.id) == second
        assert await audit_log.entries(account=account) == entries

    async def test_data_key_that_is_not_there_is_neither_replaced_nor_destroyed(
        self, data_key_store: DataKeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        unknown = a_data_key(account, at=now)
        for change in (
            data_key_store.replace(unknown.retire(), audit=an_audit_entry(account, at=now)),
            data_key_store.destroy(
                account=account, data_key_id=unknown.id, audit=an_audit_entry(account, at=now)
            ),
        ):
            with pytest.raises(NotFound):
                await change
        assert await data_key_store.of_account(account) == ()
        assert await audit_log.entries(account=account) == ()

    async def test_no_replacement_makes_a_second_primary(
        self, data_key_store: DataKeyStore, account: str, now: datetime
    ) -> None:
        former = await added(data_key_store, a_data_key(account, at=now))
        primary = await added(data_key_store, a_data_key(account, at=now + timedelta(seconds=1)))
        again = evolve(former.retire(), state=DataKeyState.PRIMARY, version=3)
        with pytest.raises(Conflict):
            await data_key_store.replace(again, audit=an_audit_entry(account, at=now))
        assert await data_key_store.primary_of(account) == primary
        assert await data_key_store.of_account(account) == (former.retire(), primary)

    async def test_destroyed_data_key_is_gone_but_for_its_name(
        self, data_key_store: DataKeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        key = await added(data_key_store, a_data_key(account, at=now))
        entries = [*await audit_log.entries(account=account), an_audit_entry(account, at=now)]
        for audit in (entries[-1], an_audit_entry(account, at=now)):  # twice is once
            await data_key_store.destroy(account=account, data_key_id=key.id, audit=audit)
            found = await data_key_store.get(account=account, data_key_id=key.id)
            assert found == key.destroy()
            assert found.wrapped.ciphertext == b""
            assert await data_key_store.primary_of(account) is None
            assert await data_key_store.of_account(account) == (found,)
            assert await audit_log.entries(account=account) == tuple(entries)

    async def test_destroyed_data_key_never_comes_back(
        self, data_key_store: DataKeyStore, account: str, now: datetime
    ) -> None:
        key = await added(data_key_store, a_data_key(account, at=now))
        await data_key_store.destroy(
            account=account, data_key_id=key.id, audit=an_audit_entry(account, at=now)
        )
        for change in (key.retire(), evolve(key, version=key.destroy().version + 1)):
            with pytest.raises(Conflict):
                await data_key_store.replace(change, audit=an_audit_entry(account, at=now))
        with pytest.raises(Conflict):
            await data_key_store.add(key, audit=an_audit_entry(account, at=now))
        assert await data_key_store.of_account(account) == (key.destroy(),)
        assert await data_key_store.primary_of(account) is None

    async def test_data_key_that_values_need_is_not_destroyed(
        self,
        data_key_store: DataKeyStore,
        credential_store: CredentialStore,
        audit_log: AuditLog,
        account: str,
        now: datetime,
    ) -> None:
        key = await added(data_key_store, a_data_key(account, at=now))
        credential = a_stored_credential(account, at=now, data_key_id=key.id)
        await credential_store.add(credential, audit=an_audit_entry(account, at=now))
        entries = await audit_log.entries(account=account)
        with pytest.raises(Conflict) as refused:
            await data_key_store.destroy(
                account=account, data_key_id=key.id, audit=an_audit_entry(account, at=now)
            )
        assert refused.value.code == "data_key_in_use"
        with pytest.raises(Conflict) as refused:  # by way of a replacement, it is the same
            await data_key_store.replace(key.destroy(), audit=an_audit_entry(account, at=now))
        assert refused.value.code == "data_key_in_use"
        assert await data_key_store.primary_of(account) == key
        assert await audit_log.entries(account=account) == entries
        other = await added(data_key_store, a_data_key(account, at=now))
        moved = evolve(credential, data_key_id=other.id, version=2)
        await credential_store.replace(moved, audit=None)
        await data_key_store.destroy(
            account=account, data_key_id=key.id, audit=an_audit_entry(account, at=now)
        )
        await credential_store.remove(moved, audit=an_audit_entry(account, at=now))
        await data_key_store.replace(other.destroy(), audit=an_audit_entry(account, at=now))
        found = await data_key_store.of_account(account)
        assert {each.state for each in found} == {DataKeyState.DESTROYED}

    async def test_one_of_many_concurrent_primaries_stays(
        self, data_key_store: DataKeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        keys = [a_data_key(account, at=now) for _ in range(12)]
        await asyncio.gather(*(added(data_key_store, key) for key in keys))
        primary = await data_key_store.primary_of(account)
        assert primary in keys
        expected = {key.id: key if key == primary else key.retire() for key in keys}
        found = await data_key_store.of_account(account)
        assert {key.id: key for key in found} == expected
        assert len(await audit_log.entries(account=account)) == 12

    async def test_one_of_many_concurrent_replacers_wins(
        self, data_key_store: DataKeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        key = await added(data_key_store, a_data_key(account, at=now))
        changes = [key.rewrap(WrappedKey(f"local/{n}", bytes([n]) * 60)) for n in range(1, 13)]
        answers = await asyncio.gather(
            *(
                data_key_store.replace(change, audit=an_audit_entry(account, at=now))
                for change in changes
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, Conflict) for answer in answers) == 11
        winner = changes[answers.index(None)]
        assert await data_key_store.get(account=account, data_key_id=key.id) == winner
        assert len(await audit_log.entries(account=account)) == 2

    @pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 8, 20, 60])
    async def test_cancelled_change_is_whole(
        self,
        data_key_store: DataKeyStore,
        audit_log: AuditLog,
        account: str,
        now: datetime,
        ticks: int,
    ) -> None:
        former = await added(data_key_store, a_data_key(account, at=now))
        key, audit = a_data_key(account, at=now), an_audit_entry(account, at=now)
        task = asyncio.ensure_future(data_key_store.add(key, audit=audit))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:  # by then the first try has happened, or never will
            await data_key_store.add(key, audit=an_audit_entry(account, at=now))
        except Conflict:
            assert (await audit_log.entries(account=account))[-1] == audit
        assert await data_key_store.primary_of(account) == key
        found = await data_key_store.get(account=account, data_key_id=former.id)
        assert found == former.retire()
        assert len(await audit_log.entries(account=account)) == 2

    async def test_change_out_of_turn_is_refused_whole(
        self, data_key_store: DataKeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        async def refused(change: Change) -> None:
            await refused_out_of_turn(change, audit_log, account, at=now)

        key, new = await added(data_key_store, a_data_key(account, at=now)), new_id("dek")
        await refused(
            lambda audit: data_key_store.add(a_data_key(account, at=now, id=new), audit=audit)
        )
        await refused(lambda audit: data_key_store.replace(key.retire(), audit=audit))
        await refused(
            lambda audit: data_key_store.destroy(account=account, data_key_id=key.id, audit=audit)
        )
        assert await data_key_store.of_account(account) == (key,)
        assert await data_key_store.primary_of(account) == key

    async def test_change_in_turn_is_kept_with_its_place(
        self, data_key_store: DataKeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        async def kept(change: Change) -> None:
            await kept_in_turn(change, audit_log, account, at=now)

        key = a_data_key(account, at=now)
        await kept(lambda audit: data_key_store.add(key, audit=audit))
        await kept(lambda audit: data_key_store.replace(key.retire(), audit=audit))
        await kept(
            lambda audit: data_key_store.destroy(account=account, data_key_id=key.id, audit=audit)
        )
        assert await data_key_store.of_account(account) == (key.retire().destroy(),)
