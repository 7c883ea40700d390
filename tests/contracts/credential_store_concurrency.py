"""Forgetting an account, changes at the same time, out of turn, and cancelled."""

import asyncio
from datetime import datetime

import pytest
from attrs import evolve

from tollkeeper.contracts.audit_turns import Change, kept_in_turn, refused_out_of_turn
from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.samples import a_data_key, a_stored_credential, an_audit_entry
from tollkeeper.domain.encryption import DataKey, DataKeyState
from tollkeeper.domain.errors import Conflict, NotFound
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.credential_store import CredentialStore
from tollkeeper.ports.data_key_store import DataKeyStore


async def states_of(data_key_store: DataKeyStore, account: str) -> set[DataKeyState]:
    """Return the states in which the account's data keys are."""
    return {key.state for key in await data_key_store.of_account(account)}


class CredentialStoreConcurrency(Contract):
    """What holds whoever else is at work, and wherever a caller is cut off."""

    async def test_forgotten_account_has_no_credentials_and_no_data_keys(
        self,
        credential_store: CredentialStore,
        data_key_store: DataKeyStore,
        audit_log: AuditLog,
        account: str,
        data_key: DataKey,
        now: datetime,
    ) -> None:
        other = f"{account}-other"
        second, theirs = a_data_key(account, at=now), a_data_key(other, at=now)
        for key in (second, theirs):
            await data_key_store.add(key, audit=an_audit_entry(key.account, at=now))
        kept = a_stored_credential(other, at=now, data_key_id=theirs.id)
        await credential_store.add(kept, audit=an_audit_entry(other, at=now))
        for label, key in (("a", data_key), ("b", second), ("c", second)):
            mine = a_stored_credential(account, at=now, data_key_id=key.id, label=label)
            await credential_store.add(mine, audit=an_audit_entry(account, at=now))
        before = await data_key_store.of_account(account)
        for count in (3, 0):
            audit = an_audit_entry(account, at=now)
            assert await credential_store.forget(account, audit=audit) == count
            assert await credential_store.list(account=account) == ()
            assert await credential_store.encrypted_with(second.id) == ()
            found = await data_key_store.of_account(account)
            assert found == tuple(key.destroy() for key in before)
            assert {key.wrapped.ciphertext for key in found} == {b""}
            assert (await audit_log.entries(account=account))[-1] == audit
        assert await data_key_store.primary_of(account) is None
        assert await credential_store.list(account=other) == (kept,)
        assert await data_key_store.primary_of(other) == theirs

    async def test_account_that_has_nothing_is_forgotten_too(
        self, credential_store: CredentialStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        audit = an_audit_entry(account, at=now)
        assert await credential_store.forget(account, audit=audit) == 0
        assert await audit_log.entries(account=account) == (audit,)

    async def test_no_credential_outlives_its_data_key(
        self,
        credential_store: CredentialStore,
        data_key_store: DataKeyStore,
        account: str,
        now: datetime,
    ) -> None:
        keys = [a_data_key(account, at=now, state=DataKeyState.READABLE) for _ in range(12)]
        for key in keys:
            await data_key_store.add(key, audit=an_audit_entry(account, at=now))
        adding = [
            credential_store.add(
                a_stored_credential(account, at=now, data_key_id=key.id, label=key.id),
                audit=an_audit_entry(account, at=now),
            )
            for key in keys
        ]
        destroying = [
            data_key_store.destroy(
                account=account, data_key_id=key.id, audit=an_audit_entry(account, at=now)
            )
            for key in keys
        ]
        # Now one is first, now the other.
        both = [*zip(adding, destroying, strict=True)]
        inverted = [each for pair in both[::2] for each in reversed(pair)]
        straight = [each for pair in both[1::2] for each in pair]
        answers = await asyncio.gather(*inverted, *straight, return_exceptions=True)
        codes = [answer.code for answer in answers if isinstance(answer, Conflict)]
        assert len(codes) == 12
        assert set(codes) <= {"data_key_destroyed", "data_key_in_use"}
        there = {each.data_key_id for each in await credential_store.list(account=account)}
        alive = {
            key.id
            for key in await data_key_store.of_account(account)
            if key.state is not DataKeyState.DESTROYED
        }
        assert there == alive
        assert len(there) == codes.count("data_key_in_use")

    async def test_nothing_is_added_to_an_account_while_it_is_forgotten(
        self,
        credential_store: CredentialStore,
        data_key_store: DataKeyStore,
        account: str,
        data_key: DataKey,
        now: datetime,
    ) -> None:
        adding = [
            credential_store.add(
                a_stored_credential(account, at=now, data_key_id=data_key.id, label=f"{n}"),
                audit=an_audit_entry(account, at=now),
            )
            for n in range(12)
        ]
        forgetting = credential_store.forget(account, audit=an_audit_entry(account, at=now))
        await asyncio.gather(*adding[:6], forgetting, *adding[6:], return_exceptions=True)
        assert await credential_store.list(account=account) == ()
        assert await states_of(data_key_store, account) == {DataKeyState.DESTROYED}

    async def test_one_of_many_concurrent_credentials_gets_the_label(
        self,
        credential_store: CredentialStore,
        audit_log: AuditLog,
        account: str,
        data_key: DataKey,
        now: datetime,
    ) -> None:
        rivals = [a_stored_credential(account, at=now, data_key_id=data_key.id) for _ in range(12)]
        answers = await asyncio.gather(
            *(credential_store.add(each, audit=an_audit_entry(account, at=now)) for each in rivals),
            return_exceptions=True,
        )
        codes = [answer.code for answer in answers if isinstance(answer, Conflict)]
        assert codes == ["credential_exists"] * 11
        winner = rivals[answers.index(None)]
        assert await credential_store.list(account=account) == (winner,)
        assert len(await audit_log.entries(account=account)) == 2

    async def test_one_of_many_concurrent_replacers_wins(
        self, credential_store: CredentialStore, account: str, data_key: DataKey, now: datetime
    ) -> None:
        first = a_stored_credential(account, at=now, data_key_id=data_key.id)
        await credential_store.add(first, audit=an_audit_entry(account, at=now))
        changes = [evolve(first, sealed=bytes([n]) * 60, version=2) for n in range(12)]
        answers = await asyncio.gather(
            *(credential_store.replace(change, audit=None) for change in changes),
            return_exceptions=True,
        )
        codes = [answer.code for answer in answers if isinstance(answer, Conflict)]
        assert codes == ["credential_changed"] * 11
        winner = changes[answers.index(None)]
        assert await credential_store.list(account=account) == (winner,)

    @pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 8, 20, 60])
    async def test_cancelled_change_is_whole(
        self,
        credential_store: CredentialStore,
        audit_log: AuditLog,
        account: str,
        data_key: DataKey,
        now: datetime,
        ticks: int,
    ) -> None:
        mine = a_stored_credential(account, at=now, data_key_id=data_key.id)
        for call, again, count in (
            (credential_store.add, Conflict, 2),
            (credential_store.remove, NotFound, 3),
        ):
            audit = an_audit_entry(account, at=now)
            task = asyncio.ensure_future(call(mine, audit=audit))
            for _ in range(ticks):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            try:  # by then the first try has happened, or never will
                await call(mine, audit=an_audit_entry(account, at=now))
            except again:
                assert (await audit_log.entries(account=account))[-1] == audit
            assert len(await audit_log.entries(account=account)) == count
            there = await credential_store.list(account=account)
            assert there == ((mine,) if again is Conflict else ())

    @pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 8, 20, 60])
    async def test_cancelled_forgetting_is_whole(
        self,
        credential_store: CredentialStore,
        data_key_store: DataKeyStore,
        audit_log: AuditLog,
        account: str,
        data_key: DataKey,
        now: datetime,
        ticks: int,
    ) -> None:
        for label in ("a", "b"):
            mine = a_stored_credential(account, at=now, data_key_id=data_key.id, label=label)
            await credential_store.add(mine, audit=an_audit_entry(account, at=now))
        audit = an_audit_entry(account, at=now)
        task = asyncio.ensure_future(credential_store.forget(account, audit=audit))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await data_key_store.add(  # by then it has happened, or never will
            a_data_key(account, at=now, state=DataKeyState.READABLE),
            audit=an_audit_entry(account, at=now),
        )
        happened = audit in await audit_log.entries(account=account)
        assert len(await credential_store.list(account=account)) == (0 if happened else 2)
        found = await data_key_store.get(account=account, data_key_id=data_key.id)
        assert found == (data_key.destroy() if happened else data_key)

    async def test_change_out_of_turn_is_refused_whole(
        self,
        credential_store: CredentialStore,
        data_key_store: DataKeyStore,
        audit_log: AuditLog,
        account: str,
        data_key: DataKey,
        now: datetime,
    ) -> None:
        async def refused(change: Change) -> None:
            await refused_out_of_turn(change, audit_log, account, at=now)

        mine = a_stored_credential(account, at=now, data_key_id=data_key.id)
        await refused(lambda audit: credential_store.add(mine, audit=audit))
        assert await credential_store.list(account=account) == ()
        await credential_store.add(mine, audit=an_audit_entry(account, at=now))
        changed = evolve(mine, sealed=b"changed" * 9, version=2)
        await refused(lambda audit: credential_store.replace(changed, audit=audit))
        await refused(lambda audit: credential_store.remove(mine, audit=audit))
        await refused(lambda audit: credential_store.forget(account, audit=audit))
        assert await credential_store.list(account=account) == (mine,)
        assert await data_key_store.primary_of(account) == data_key

    async def test_change_in_turn_is_kept_with_its_place(
        self,
        credential_store: CredentialStore,
        audit_log: AuditLog,
        account: str,
        data_key: DataKey,
        now: datetime,
    ) -> None:
        async def kept(change: Change) -> None:
            await kept_in_turn(change, audit_log, account, at=now)

        mine = a_stored_credential(account, at=now, data_key_id=data_key.id)
        changed = evolve(mine, sealed=b"changed" * 9, version=2)
        await kept(lambda audit: credential_store.add(mine, audit=audit))
        await kept(lambda audit: credential_store.replace(changed, audit=audit))
        await kept(lambda audit: credential_store.remove(changed, audit=audit))
        await kept(lambda audit: credential_store.forget(account, audit=audit))
        assert await credential_store.list(account=account) == ()
