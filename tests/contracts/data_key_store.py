"""The contract of :class:`tollkeeper.ports.data_key_store.DataKeyStore`."""

from datetime import datetime, timedelta

import pytest
from attrs import evolve

from tollkeeper.contracts.data_key_store_changes import DataKeyStoreChanges
from tollkeeper.contracts.samples import a_data_key, an_audit_entry, new_id
from tollkeeper.domain.encryption import (
    AES_256_GCM_SIV,
    DataKey,
    DataKeyState,
    WrappedKey,
)
from tollkeeper.domain.errors import Conflict, NotFound
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.data_key_store import DataKeyStore


class DataKeyStoreContract(DataKeyStoreChanges):
    """What every data key store promises.

    Fixtures: ``data_key_store``, ``credential_store`` and ``audit_log`` of the same store.
    """

    async def test_data_key_comes_back_as_given(
        self, data_key_store: DataKeyStore, account: str, now: datetime
    ) -> None:
        small = evolve(
            a_data_key(account, at=now, state=DataKeyState.READABLE),
            wrapped=WrappedKey("k", b"\x00"),
        )
        large = DataKey(
            id=new_id("DEK"),
            account=account,
            algorithm=AES_256_GCM_SIV,
            wrapped=WrappedKey("arn:aws:kms:eu-west-1:1:key/" + "a" * 480, bytes(range(256)) * 24),
            commitment=b"\xff\x00\x5c\x27" * 4,
            state=DataKeyState.PRIMARY,
            created_at=now + timedelta(microseconds=123_456),
        )
        for key in (small, large):
            await data_key_store.add(key, audit=an_audit_entry(account, at=now))
            found = await data_key_store.get(account=account, data_key_id=key.id)
            assert found == key
            assert found.wrapped.ciphertext == key.wrapped.ciphertext
        assert await data_key_store.primary_of(account) == large
        assert await data_key_store.of_account(account) == (small, large)

    async def test_unknown_data_key_is_not_there(
        self, data_key_store: DataKeyStore, account: str, now: datetime
    ) -> None:
        assert await data_key_store.primary_of(account) is None
        assert await data_key_store.of_account(account) == ()
        with pytest.raises(NotFound) as refused:
            await data_key_store.get(account=account, data_key_id=new_id("dek"))
        assert refused.value.code == "data_key_not_found"

    async def test_data_key_of_another_account_is_not_there(
        self, data_key_store: DataKeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        key, other = a_data_key(account, at=now), f"{account}-other"
        await data_key_store.add(key, audit=an_audit_entry(account, at=now))
        assert await data_key_store.primary_of(other) is None
        assert await data_key_store.of_account(other) == ()
        changed = evolve(key.retire(), account=other)
        for change in (
            data_key_store.get(account=other, data_key_id=key.id),
            data_key_store.replace(changed, audit=an_audit_entry(other, at=now)),
            data_key_store.destroy(
                account=other, data_key_id=key.id, audit=an_audit_entry(other, at=now)
            ),
        ):
            with pytest.raises(NotFound) as refused:
                await change
            assert refused.value.code == "data_key_not_found"
        assert await data_key_store.primary_of(account) == key
        assert await audit_log.entries(account=other) == ()

    async def test_new_primary_takes_the_place_of_the_former(
        self, data_key_store: DataKeyStore, account: str, now: datetime
    ) -> None:
        keys = [a_data_key(account, at=now + timedelta(seconds=n)) for n in range(3)]
        theirs = a_data_key(f"{account}-other", at=now)
        await data_key_store.add(theirs, audit=an_audit_entry(theirs.account, at=now))
        for key in keys:
            await data_key_store.add(key, audit=an_audit_entry(account, at=now))
            assert await data_key_store.primary_of(account) == key
        found = await data_key_store.of_account(account)
        assert found == (keys[0].retire(), keys[1].retire(), keys[2])
        readable = a_data_key(account, at=now, state=DataKeyState.READABLE)
        await data_key_store.add(readable, audit=an_audit_entry(account, at=now))
        assert await data_key_store.primary_of(account) == keys[2]
        assert await data_key_store.primary_of(theirs.account) == theirs

    async def test_taken_id_is_refused(
        self, data_key_store: DataKeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        key, other = a_data_key(account, at=now), f"{account}-other"
        await data_key_store.add(key, audit=an_audit_entry(account, at=now))
        entries = await audit_log.entries(account=account)
        for who in (account, other):
            with pytest.raises(Conflict) as refused:
                await data_key_store.add(
                    a_data_key(who, at=now, id=key.id), audit=an_audit_entry(who, at=now)
                )
            assert refused.value.code == "data_key_taken"
        assert await data_key_store.of_account(account) == (key,)
        assert await data_key_store.of_account(other) == ()
        assert await audit_log.entries(account=account) == entries
        assert await audit_log.entries(account=other) == ()

    async def test_data_keys_of_an_account_come_in_order(
        self, data_key_store: DataKeyStore, account: str, now: datetime
    ) -> None:
        keys = [
            a_data_key(
                account, at=now + timedelta(microseconds=n // 3), state=DataKeyState.READABLE
            )
            for n in range(5)
        ]
        for key in reversed(keys):
            await data_key_store.add(key, audit=an_audit_entry(account, at=now))
        keys.sort(key=lambda key: (key.created_at, key.id))
        assert await data_key_store.of_account(account) == tuple(keys)

    async def test_data_keys_of_all_accounts_come_in_pages_by_id(
        self, data_key_store: DataKeyStore, account: str, now: datetime
    ) -> None:
        first = "dek_" + account.replace("-", "_")  # ids that nobody else has any between
        keys = [
            a_data_key(f"{account}-{n % 2}", at=now - timedelta(days=n), id=first + end)
            for n, end in enumerate(("_1", "_3", "_a", "_2", "_Z", "A", "", "_4"))
        ]
        for key in keys:
            await data_key_store.add(key, audit=an_audit_entry(key.account, at=now))
        gone = keys.pop()
        await data_key_store.destroy(
            account=gone.account, data_key_id=gone.id, audit=an_audit_entry(gone.account, at=now)
        )
        expected = sorted(key.id for key in keys)
        seen: list[str] = []
        after = first[:-1]  # no data key is called that
        while len(seen) < len(expected):
            page = await data_key_store.page(after=after, limit=2)
            assert len(page) == 2 or len(seen) + len(page) >= len(expected)
            seen += [key.id for key in page]
            after = seen[-1]
        assert seen[: len(expected)] == expected
        assert await data_key_store.page(limit=0) == ()
        assert len(await data_key_store.page(limit=1)) == 1
