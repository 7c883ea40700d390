"""What a key store promises to many at once, and to who is cut off."""

import asyncio
from datetime import datetime, timedelta

import pytest
from attrs import evolve

from tollkeeper.contracts.audit_turns import (
    Change,
    an_entry_in_turn,
    exactly,
    kept_in_turn,
    numbered,
    refused_out_of_turn,
)
from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.key_store_calls import add, remove, replace, rotated
from tollkeeper.contracts.samples import an_api_key, an_audit_entry, new_id
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import Conflict, NotFound
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.key_store import KeyStore


class KeyStoreConcurrency(Contract):
    """Changes at the same time, changes out of turn, and changes that are cancelled."""

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

    async def test_one_of_a_removal_and_a_change_wins(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        await add(key_store, key)
        changes = [
            replace(key_store, rotated(key)) if n % 2 else remove(key_store, key) for n in range(12)
        ]
        answers = await asyncio.gather(*changes, return_exceptions=True)
        audits = [answer for answer in answers if isinstance(answer, AuditEntry)]
        assert len(audits) == 1
        assert sum(isinstance(answer, (Conflict, NotFound)) for answer in answers) == 11
        assert (await audit_log.entries(account=account))[1:] == tuple(audits)
        removed = audits[0].action == "key.deleted"
        assert len(await key_store.list(account=account)) == (not removed)

    @pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 8, 20, 60])
    async def test_cancelled_removal_is_whole(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime, ticks: int
    ) -> None:
        key = rotated(an_api_key(account, at=now))
        await add(key_store, key)
        audit = an_audit_entry(account, at=now)
        task = asyncio.ensure_future(key_store.remove(key, audit=audit))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:  # by then the first try has happened, or never will
            await remove(key_store, key)
        except NotFound:
            assert (await audit_log.entries(account=account))[-1] == audit
        assert [await key_store.find(secret.kid) for secret in key.secrets] == [None, None]
        assert len(await audit_log.entries(account=account)) == 2

    async def test_change_out_of_turn_is_refused_whole(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        async def refused(change: Change) -> None:
            await refused_out_of_turn(change, audit_log, account, at=now)

        new = an_api_key(account, at=now)
        await refused(lambda audit: key_store.add(new, audit=audit))
        assert await key_store.find(new.secrets[0].kid) is None
        assert await key_store.list(account=account) == ()
        await add(key_store, new)
        changed = rotated(new)
        await refused(lambda audit: key_store.replace(changed, audit=audit))
        await refused(lambda audit: key_store.remove(new, audit=audit))
        assert await key_store.find(changed.secrets[0].kid) is None
        assert await key_store.find(new.secrets[0].kid) == new
        assert await key_store.list(account=account) == (new,)
        await replace(key_store, changed)  # nothing of what was refused is in the way

    async def test_change_in_turn_is_kept_with_its_place(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        async def kept(change: Change) -> None:
            await kept_in_turn(change, audit_log, account, at=now)

        key, other = an_api_key(account, at=now), an_api_key(account, at=now)
        await kept(lambda audit: key_store.add(key, audit=audit))
        await add(key_store, other)  # without a place: the store finds one
        second = rotated(key)
        await kept(lambda audit: key_store.replace(second, audit=audit))
        await kept(lambda audit: key_store.remove(second, audit=audit))
        assert len(await numbered(audit_log, account)) == 4
        assert await key_store.list(account=account) == (other,)

    async def test_accounts_take_turns_by_themselves(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        for who in (account, f"{account}-other") * 2:
            await add(key_store, an_api_key(who, at=now))
        for who in (account, f"{account}-other"):
            assert len(await numbered(audit_log, who)) == 2

    async def test_one_of_many_concurrent_changes_gets_the_turn(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        await add(key_store, an_api_key(account, at=now))
        keys = [an_api_key(account, at=now) for _ in range(20)]
        entries = [an_entry_in_turn(account, at=now, sequence=2) for _ in keys]
        answers = await asyncio.gather(
            *(key_store.add(key, audit=e) for key, e in zip(keys, entries, strict=True)),
            return_exceptions=True,
        )
        codes = [answer.code for answer in answers if isinstance(answer, Conflict)]
        assert codes == ["audit_moved"] * 19
        winner = answers.index(None)
        assert await key_store.find(keys[winner].secrets[0].kid) == keys[winner]
        assert len(await key_store.list(account=account)) == 2
        _, last = await numbered(audit_log, account)
        assert exactly(last) == exactly(entries[winner])
