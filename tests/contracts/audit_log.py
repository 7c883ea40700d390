"""The contract of :class:`tollkeeper.ports.audit_log.AuditLog`."""

import asyncio
from datetime import datetime, timedelta

import pytest
from attrs import evolve

from tollkeeper.contracts.audit_log_chains import AuditLogChains
from tollkeeper.contracts.samples import ODD_TEXT, an_api_key, an_audit_entry, new_id
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import NotFound
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.key_store import KeyStore


async def write(key_store: KeyStore, entry: AuditEntry) -> None:
    """Write *entry* with a change."""
    await key_store.add(an_api_key(entry.account, at=entry.at), audit=entry)


class AuditLogContract(AuditLogChains):
    """What every audit log promises. Fixtures: ``audit_log``, ``key_store`` of the same store."""

    async def test_entry_comes_back_as_given(
        self, audit_log: AuditLog, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        entry = AuditEntry(
            id=new_id("audit"),
            at=now + timedelta(microseconds=123_456),
            account=account,
            actor=ODD_TEXT,
            action="key.issued",
            subject=ODD_TEXT,
            details={"name": ODD_TEXT, ODD_TEXT: "", "scopes": "chat:complete"},
        )
        plain = evolve(entry, id=new_id("audit"), at=now, details={})
        for each in (entry, plain):
            await write(key_store, each)
        assert await audit_log.entries(account=account) == (entry, plain)

    async def test_log_of_an_account_never_named_is_empty(
        self, audit_log: AuditLog, account: str
    ) -> None:
        assert await audit_log.entries(account=account) == ()

    async def test_entries_come_in_the_order_of_writing(
        self, audit_log: AuditLog, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        entries = [an_audit_entry(account, at=now + timedelta(seconds=n)) for n in (3, 1, 2, 2, 0)]
        for entry in entries:
            await write(key_store, entry)
        assert await audit_log.entries(account=account) == tuple(entries)

    async def test_entries_come_in_pages(
        self, audit_log: AuditLog, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        entries = [an_audit_entry(account, at=now) for _ in range(5)]
        for entry in entries:
            await write(key_store, entry)
            await write(key_store, an_audit_entry(f"{account}-other", at=now))
        seen: list[AuditEntry] = []
        sizes = []
        while page := await audit_log.entries(
            account=account, limit=2, after=seen[-1].id if seen else None
        ):
            seen += page
            sizes.append(len(page))
        assert seen == entries
        assert sizes == [2, 2, 1]

    async def test_unknown_page_is_not_there(
        self, audit_log: AuditLog, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        entry = an_audit_entry(account, at=now)
        await write(key_store, entry)
        with pytest.raises(NotFound):
            await audit_log.entries(account=account, after=new_id("audit"))
        with pytest.raises(NotFound):
            await audit_log.entries(account=f"{account}-other", after=entry.id)

    async def test_accounts_do_not_see_one_another(
        self, audit_log: AuditLog, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        mine, theirs = (an_audit_entry(who, at=now) for who in (account, f"{account}-other"))
        await write(key_store, mine)
        await write(key_store, theirs)
        assert await audit_log.entries(account=account) == (mine,)
        assert await audit_log.entries(account=f"{account}-other") == (theirs,)

    async def test_concurrent_entries_are_all_kept(
        self, audit_log: AuditLog, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        entries = [an_audit_entry(account, at=now) for _ in range(32)]
        await asyncio.gather(*(write(key_store, entry) for entry in entries))
        kept = await audit_log.entries(account=account)
        assert sorted(entry.id for entry in kept) == sorted(entry.id for entry in entries)
        assert await audit_log.entries(account=account) == kept
