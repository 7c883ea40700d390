"""The contract of :class:`tollkeeper.ports.key_store.KeyStore`."""

import asyncio
from datetime import datetime, timedelta

import pytest
from attrs import evolve

from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.samples import (
    ODD_TEXT,
    a_key_secret,
    an_api_key,
    an_audit_entry,
    new_id,
)
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import Conflict, NotFound
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.key_store import KeyStore


async def add(key_store: KeyStore, key: ApiKey) -> AuditEntry:
    """Add *key* and return what was audited."""
    audit = an_audit_entry(key.account, at=key.created_at, action="key.issued")
    await key_store.add(key, audit=audit)
    return audit


async def replace(key_store: KeyStore, key: ApiKey) -> AuditEntry:
    """Replace *key* and return what was audited."""
    audit = an_audit_entry(key.account, at=key.created_at, action="key.changed")
    await key_store.replace(key, audit=audit)
    return audit


def rotated(key: ApiKey) -> ApiKey:
    """Give *key* a second secret, newest first."""
    new = a_key_secret(at=key.created_at)
    return key.rotate(new, at=key.created_at, overlap=timedelta(days=1))


class KeyStoreContract(Contract):
    """What every key store promises. Fixtures: ``key_store``, ``audit_log`` of the same store."""

    async def test_key_comes_back_as_given(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        key = ApiKey(
            id=new_id("key"),
            account=account,
            name=ODD_TEXT,
            scopes=frozenset({"chat:complete", "audio:transcribe", "mail:send"}),
            prefix="tk_test",
            secrets=(
                evolve(a_key_secret(at=now + timedelta(days=1)), verifier=bytes(range(32))),
                a_key_secret(at=now, lives=timedelta(microseconds=1)),
            ),
            created_at=now + timedelta(microseconds=123_456),
            expires_at=now + timedelta(days=365, microseconds=1),
        )
        await add(key_store, key)
        assert await key_store.get(account=account, key_id=key.id) == key
        for secret in key.secrets:
            assert await key_store.find(secret.kid) == key
        assert await key_store.list(account=account) == (key,)

    async def test_unknown_key_is_not_there(self, key_store: KeyStore, account: str) -> None:
        assert await key_store.find(new_id("kid")) is None
        assert await key_store.list(account=account) == ()
        with pytest.raises(NotFound):
            await key_store.get(account=account, key_id=new_id("key"))

    async def test_key_of_another_account_is_not_there(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        await add(key_store, key)
        other = f"{account}-other"
        with pytest.raises(NotFound):
            await key_store.get(account=other, key_id=key.id)
        assert await key_store.list(account=other) == ()
        with pytest.raises(NotFound):
            await key_store.list(account=other, after=key.id)

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

    async def test_keys_come_in_pages(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        keys = [an_api_key(account, at=now + timedelta(microseconds=n // 3)) for n in range(5)]
        for key in reversed(keys):
            await add(key_store, key)
        keys.sort(key=lambda key: (key.created_at, key.id))
        seen: list[ApiKey] = []
        sizes = []
        after: str | None = None
        while page := await key_store.list(account=account, limit=2, after=after):
            seen += page
            sizes.append(len(page))
            after = page[-1].id
        assert seen == keys
        assert sizes == [2, 2, 1]
        with pytest.raises(NotFound):
            await key_store.list(account=account, after=new_id("key"))

    async def test_last_use_never_goes_back(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        key, unused = an_api_key(account, at=now), an_api_key(account, at=now)
        audits = (await add(key_store, key), await add(key_store, unused))
        for minutes, last in [(5, 5), (3, 5), (5, 5), (6, 6)]:
            uses = {key.id: now + timedelta(minutes=minutes), new_id("key"): now}
            await key_store.mark_used(uses)
            used = evolve(key, last_used_at=now + timedelta(minutes=last))
            assert await key_store.get(account=account, key_id=key.id) == used
            assert await key_store.find(key.secrets[0].kid) == used
        await key_store.mark_used({})
        assert await key_store.get(account=account, key_id=unused.id) == unused
        assert await audit_log.entries(account=account) == audits

    async def test_only_use_moves_the_last_use(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        await add(key_store, key)
        used_at = now + timedelta(minutes=5)
        await key_store.mark_used({key.id: used_at})
        for stale in (None, now, now + timedelta(days=1)):
            key = evolve(key, version=key.version + 1, last_used_at=stale)
            await replace(key_store, key)
            kept = await key_store.get(account=account, key_id=key.id)
            assert kept == evolve(key, last_used_at=used_at)

    async def test_concurrent_uses_keep_the_latest(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        await add(key_store, key)
        minutes = [7, 3, 19, 1, 12, 0, 18, 5] * 4
        await asyncio.gather(
            *(key_store.mark_used({key.id: now + timedelta(minutes=each)}) for each in minutes)
        )
        used = await key_store.get(account=account, key_id=key.id)
        assert used.last_used_at == now + timedelta(minutes=19)

    async def test_one_of_many_concurrent_replacers_wins(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        await add(key_store, key)
        changes = [rotated(key) for _ in range(20)]
        answers = await asyncio.gather(
            *(replace(key_store, change) for change in changes), return_exceptions=True
        )
        audits = [answer for answer in answers if isinstance(answer, AuditEntry)]
        assert len(audits) == 1
        assert sum(isinstance(answer, Conflict) for answer in answers) == 19
        (winner,) = (c for c, a in zip(changes, answers, strict=True) if a is audits[0])
        assert await key_store.get(account=account, key_id=key.id) == winner
        found = [await key_store.find(change.secrets[0].kid) for change in changes]
        assert [each for each in found if each is not None] == [winner]
        assert (await audit_log.entries(account=account))[1:] == (audits[0],)

    async def test_one_of_many_concurrent_keys_gets_the_kid(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        same_kid = [evolve(key, id=new_id("key")) for _ in range(10)]
        same_id = [evolve(an_api_key(account, at=now), id=key.id) for _ in range(10)]
        for rivals in (same_kid, same_id):
            answers = await asyncio.gather(
                *(add(key_store, rival) for rival in rivals), return_exceptions=True
            )
            assert sum(isinstance(answer, AuditEntry) for answer in answers) == 1
            assert sum(isinstance(answer, Conflict) for answer in answers) == 9
        assert len(await key_store.list(account=account)) == 2
        assert len(await audit_log.entries(account=account)) == 2

    @pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 8, 20, 60])
    async def test_cancelled_change_is_whole(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime, ticks: int
    ) -> None:
        key = an_api_key(account, at=now)
        for change, call in ((key, key_store.add), (rotated(key), key_store.replace)):
            audit = an_audit_entry(account, at=now)
            task = asyncio.ensure_future(call(change, audit=audit))
            for _ in range(ticks):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            try:  # by then the first try has happened, or never will
                await call(change, audit=an_audit_entry(account, at=now))
            except Conflict:
                assert (await audit_log.entries(account=account))[-1] == audit
            assert await key_store.find(change.secrets[0].kid) == change
            entries = await audit_log.entries(account=account)
            assert len(entries) == change.version
