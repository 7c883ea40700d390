"""How keys change."""

from datetime import datetime, timedelta

import pytest
from attrs import evolve

from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.key_store_calls import add, remove, replace, rotated
from tollkeeper.contracts.samples import ODD_TEXT, a_full_api_key, a_key_secret, an_api_key
from tollkeeper.domain.errors import Conflict, NotFound
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.key_store import KeyStore


class KeyStoreChanges(Contract):
    """Adding, replacing and removing keys, each with its audit entry."""

    async def test_taken_id_or_kid_is_refused(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        audit = await add(key_store, key)
        other = f"{account}-other"
        second = (a_key_secret(at=now), key.secrets[0])
        taken = [evolve(an_api_key(who, at=now), id=key.id) for who in (account, other)]
        taken += [evolve(an_api_key(who, at=now), secrets=second) for who in (account, other)]
        for each in taken:
            with pytest.raises(Conflict):
                await add(key_store, each)
            assert await key_store.find(each.secrets[0].kid) is None
        assert await key_store.list(account=account) == (key,)
        assert await key_store.list(account=other) == ()
        assert await key_store.find(key.secrets[0].kid) == key
        assert await audit_log.entries(account=account) == (audit,)
        assert await audit_log.entries(account=other) == ()

    async def test_replaced_key_is_seen_at_once(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        audits = [await add(key_store, key)]
        for change in (rotated(key), rotated(key).revoke(at=now + timedelta(seconds=1))):
            audits.append(await replace(key_store, change))
            assert await key_store.get(account=account, key_id=key.id) == change
            assert await key_store.list(account=account) == (change,)
            for secret in change.secrets:
                assert await key_store.find(secret.kid) == change
        assert await audit_log.entries(account=account) == tuple(audits)

    async def test_every_field_that_may_change_is_replaced(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        await add(key_store, key)
        changed = evolve(
            key,
            name=ODD_TEXT,
            scopes=frozenset({"mail:send"}),
            expires_at=now + timedelta(days=2),
            revoked_at=now + timedelta(days=1),
            version=2,
        )
        await replace(key_store, changed)
        assert await key_store.get(account=account, key_id=key.id) == changed

    async def test_secret_that_is_gone_is_not_found(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        await add(key_store, key)
        twice = rotated(rotated(key))
        await replace(key_store, evolve(twice, version=2))
        assert await key_store.find(key.secrets[0].kid) is None
        assert await key_store.find(twice.secrets[0].kid) == evolve(twice, version=2)

    @pytest.mark.parametrize("step", [-1, 0, 2])
    async def test_only_the_next_version_replaces(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime, step: int
    ) -> None:
        key = an_api_key(account, at=now)
        second = rotated(key)
        audits = (await add(key_store, key), await replace(key_store, second))
        change = rotated(key)
        with pytest.raises(Conflict):
            await replace(key_store, evolve(change, version=second.version + step))
        assert await key_store.get(account=account, key_id=key.id) == second
        assert await key_store.find(change.secrets[0].kid) is None
        assert await key_store.find(second.secrets[0].kid) == second
        assert await audit_log.entries(account=account) == audits

    async def test_key_that_is_not_the_accounts_is_not_replaced(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        audit = await add(key_store, key)
        other = f"{account}-other"
        for change in (rotated(an_api_key(account, at=now)), evolve(rotated(key), account=other)):
            with pytest.raises(NotFound):
                await replace(key_store, change)
            assert await key_store.find(change.secrets[0].kid) is None
        assert await key_store.list(account=account) == (key,)
        assert await audit_log.entries(account=account) == (audit,)
        assert await audit_log.entries(account=other) == ()

    async def test_kid_of_another_key_is_not_taken_over(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        mine, theirs = an_api_key(account, at=now), an_api_key(f"{account}-other", at=now)
        audit = await add(key_store, mine)
        await add(key_store, theirs)
        change = evolve(rotated(mine), secrets=(theirs.secrets[0], mine.secrets[0]))
        with pytest.raises(Conflict):
            await replace(key_store, change)
        assert await key_store.find(theirs.secrets[0].kid) == theirs
        assert await key_store.find(mine.secrets[0].kid) == mine
        assert await audit_log.entries(account=account) == (audit,)

    async def test_each_field_is_replaced_also_by_nothing(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        plain = an_api_key(account, at=now)
        await add(key_store, plain)
        full = evolve(
            a_full_api_key(account, at=now),
            id=plain.id,
            created_at=plain.created_at,
            secrets=plain.secrets,
        )
        for version, key in enumerate((full, plain, evolve(full, networks=full.networks[:1])), 2):
            changed = evolve(key, version=version)
            await replace(key_store, changed)
            assert await key_store.get(account=account, key_id=plain.id) == changed

    async def test_removed_key_is_gone_with_its_secrets(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        key, other = a_full_api_key(account, at=now), an_api_key(account, at=now)
        audits = [await add(key_store, each) for each in (key, other)]
        audits.append(await remove(key_store, key))
        with pytest.raises(NotFound) as refused:
            await key_store.get(account=account, key_id=key.id)
        assert refused.value.code == "key_not_found"
        for secret in key.secrets:
            assert await key_store.find(secret.kid) is None
        assert await key_store.list(account=account) == (other,)
        assert key not in await key_store.page(after=key.id[:-1], limit=2)
        assert await audit_log.entries(account=account) == tuple(audits)
        for change in (remove(key_store, key), replace(key_store, evolve(key, version=2))):
            with pytest.raises(NotFound):
                await change
        await key_store.mark_used({key.id: now})
        assert await key_store.list(account=account) == (other,)
        assert await audit_log.entries(account=account) == tuple(audits)

    @pytest.mark.parametrize("step", [-1, 1])
    async def test_only_the_version_that_is_there_is_removed(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime, step: int
    ) -> None:
        key = an_api_key(account, at=now)
        second = rotated(key)
        audits = (await add(key_store, key), await replace(key_store, second))
        with pytest.raises(Conflict) as refused:
            await remove(key_store, evolve(second, version=second.version + step))
        assert refused.value.code == "key_changed"
        assert await key_store.find(second.secrets[0].kid) == second
        assert await key_store.list(account=account) == (second,)
        assert await audit_log.entries(account=account) == audits

    async def test_key_that_is_not_the_accounts_is_not_removed(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        audit = await add(key_store, key)
        other = f"{account}-other"
        for stranger in (an_api_key(account, at=now), evolve(key, account=other)):
            with pytest.raises(NotFound):
                await remove(key_store, stranger)
        assert await key_store.find(key.secrets[0].kid) == key
        assert await audit_log.entries(account=account) == (audit,)
        assert await audit_log.entries(account=other) == ()
