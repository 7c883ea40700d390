"""Keys, quotas, data keys and credentials in a file: what is erased is gone, the rest stays."""

import contextlib
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from tests.adapters.sqlite_calls import NOW
from tests.adapters.sqlite_version_1 import write_version_1
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.contracts.samples import (
    a_data_key,
    a_full_api_key,
    a_stored_credential,
    an_audit_entry,
)
from tollkeeper.domain.encryption import WrappedKey
from tollkeeper.domain.key_limits import OnOutage, Quota, QuotaPeriod
from tollkeeper.domain.plans import Plan

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tollkeeper.db"


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize("size", [60, 6144])
async def test_what_is_forgotten_is_nowhere_in_the_file(path: Path, size: int) -> None:
    key = evolve(a_data_key("acme", at=NOW), wrapped=WrappedKey("k", b"canary" * (size // 6)))
    lone = evolve(a_data_key("acme", at=NOW), wrapped=WrappedKey("k", b"singer" * (size // 6)))
    credential = a_stored_credential("acme", at=NOW, data_key_id=key.id)
    credential = evolve(credential, sealed=b"sealed" * (size // 6))
    async with SqliteStore(path) as store:
        for each in (lone, key):
            await store.data_key_store.add(each, audit=an_audit_entry("acme", at=NOW))
        await store.credential_store.add(credential, audit=an_audit_entry("acme", at=NOW))
    before = everything_in(path.parent)
    assert all(word * 3 in before for word in (b"canary", b"singer", b"sealed"))
    async with SqliteStore(path) as store:
        await store.data_key_store.destroy(
            account="acme", data_key_id=lone.id, audit=an_audit_entry("acme", at=NOW)
        )
        assert await store.credential_store.forget("acme", audit=an_audit_entry("acme", at=NOW))
    after = everything_in(path.parent)
    assert not any(word * 3 in after for word in (b"canary", b"singer", b"sealed"))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM data_keys", "not deleted"),
        ("UPDATE data_keys SET state = 'readable', ciphertext = x'01'", "stay destroyed"),
        ("UPDATE data_keys SET state = 'destroyed', ciphertext = x''", "still encrypted"),
        ("UPDATE data_keys SET state = 'primary'", "UNIQUE"),
        ("UPDATE credentials SET data_key_id = 'nowhere'", "FOREIGN KEY"),
    ],
)
async def test_data_keys_cannot_be_lost_or_revived_behind_our_back(
    path: Path, statement: str, said: str
) -> None:
    needed, former = (a_data_key("acme", at=NOW) for _ in range(2))
    async with SqliteStore(path) as store:
        await store.data_key_store.add(former, audit=an_audit_entry("acme", at=NOW))
        await store.data_key_store.add(needed, audit=an_audit_entry("acme", at=NOW))
        credential = a_stored_credential("acme", at=NOW, data_key_id=needed.id)
        await store.credential_store.add(credential, audit=an_audit_entry("acme", at=NOW))
        if said == "stay destroyed":
            await store.data_key_store.destroy(
                account="acme", data_key_id=former.id, audit=an_audit_entry("acme", at=NOW)
            )
        before = await store.data_key_store.of_account("acme")
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("PRAGMA foreign_keys = ON")
            with pytest.raises(sqlite3.IntegrityError, match=said):
                connection.execute(statement)
        assert await store.data_key_store.of_account("acme") == before
        assert await store.credential_store.list(account="acme") == (credential,)


async def test_restart_keeps_everything(path: Path) -> None:
    key, data_key = a_full_api_key("acme", at=NOW), a_data_key("acme", at=NOW)
    credential = a_stored_credential("acme", at=NOW, data_key_id=data_key.id)
    async with SqliteStore(path) as store:
        await store.key_store.add(key, audit=an_audit_entry("acme", at=NOW))
        await store.data_key_store.add(data_key, audit=an_audit_entry("acme", at=NOW))
        await store.credential_store.add(credential, audit=an_audit_entry("acme", at=NOW))
        assert await store.quota_counter.take(key.id, Quota(5), at=NOW, calls=4)
        head = await store.audit_log.head("acme")
    async with SqliteStore(path) as store:
        assert await store.key_store.find(key.secrets[0].kid) == key
        assert await store.data_key_store.primary_of("acme") == data_key
        assert await store.credential_store.list(account="acme") == (credential,)
        assert not await store.quota_counter.take(key.id, Quota(5), at=NOW, calls=2)
        assert await store.audit_log.head("acme") == head
        assert head.sequence == 3


async def test_periods_that_are_over_for_long_are_forgotten(path: Path) -> None:
    quota, moments = Quota(5, QuotaPeriod.DAY), [NOW + timedelta(days=days) for days in (0, 1, 62)]
    async with SqliteStore(path) as store:
        counter = store.quota_counter
        for key_id in ("key_1", "key_2"):
            assert await counter.take(key_id, quota, at=moments[0])
        for at in moments:
            assert await counter.take("key_1", quota, at=at, calls=2)
        assert [(await counter.used("key_1", quota, at=at)).used for at in moments] == [3, 2, 2]
        assert await counter.take("key_1", quota, at=NOW + timedelta(days=63))
        assert [(await counter.used("key_1", quota, at=at)).used for at in moments] == [0, 2, 2]
        assert (await counter.used("key_2", quota, at=NOW)).used == 1


async def test_keys_and_plans_of_an_older_file_read_as_they_did_and_can_be_changed(
    path: Path,
) -> None:
    write_version_1(path)
    async with SqliteStore(path) as store:
        (key,) = await store.key_store.page()
        assert (key.id, key.limits, key.quota, key.networks) == ("key_1", (), None, ())
        assert (key.description, dict(key.metadata), key.seal) == ("", {}, None)
        full = evolve(
            a_full_api_key("acme", at=NOW), id=key.id, created_at=key.created_at, version=2
        )
        await store.key_store.replace(full, audit=an_audit_entry("acme", at=NOW))
        assert await store.key_store.get(account="acme", key_id=key.id) == full
        await store.key_store.remove(full, audit=an_audit_entry("acme", at=NOW))
        (plan,) = await store.plan_store.plans()
        assert (plan.name, plan.on_outage) == ("small", OnOutage.CLOSED)
        opened = Plan("small", on_outage=OnOutage.OPEN)
        await store.plan_store.put(opened, audit=an_audit_entry("acme", at=NOW))
        assert await store.plan_store.plan_of("acme", at=NOW) == opened
