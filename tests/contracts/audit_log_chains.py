"""What an audit log promises of the order of its entries."""

import asyncio
from datetime import datetime

import pytest
from attrs import evolve

from tollkeeper.contracts.audit_turns import (
    an_entry_in_turn,
    exactly,
    kept_in_turn,
    numbered,
    refused_out_of_turn,
)
from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.samples import an_api_key, an_audit_entry
from tollkeeper.domain.audit import AuditEntry, AuditHead, AuditKey, ChainState, chained, follow
from tollkeeper.domain.errors import Conflict
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.key_store import KeyStore

KEY = AuditKey(bytes(range(32)))


async def chain(audit_log: AuditLog, account: str, *, at: datetime) -> None:
    """Write an entry behind the account's last one, however often somebody is faster."""
    for _ in range(50):
        head = await audit_log.head(account)
        await asyncio.sleep(0)  # whoever is faster comes first
        try:
            await audit_log.append(chained(an_audit_entry(account, at=at), head, KEY))
        except Conflict as error:
            assert error.code == "audit_moved"  # noqa: PT017 - what else may be raised is a failure
        else:
            return
    raise AssertionError("somebody was faster fifty times")


class AuditLogChains(Contract):
    """Numbers, places and ends of chains, and entries that tell of no change."""

    async def test_appended_entry_comes_after_what_was_written_with_changes(
        self, audit_log: AuditLog, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        entries = [an_audit_entry(account, at=now) for _ in range(4)]
        for position, entry in enumerate(entries):
            if position % 2:
                await key_store.add(an_api_key(account, at=now), audit=entry)
            else:
                await audit_log.append(entry)
        assert await numbered(audit_log, account) == tuple(entries)

    async def test_each_account_is_numbered_by_itself(
        self, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        for who in (account, f"{account}-b", account, account, f"{account}-b"):
            await audit_log.append(an_audit_entry(who, at=now))
        assert len(await numbered(audit_log, account)) == 3
        assert len(await numbered(audit_log, f"{account}-b")) == 2
        last = await audit_log.entries(
            account=account, after=(await audit_log.entries(account=account))[1].id
        )
        assert [entry.sequence for entry in last] == [3]

    async def test_place_in_the_chain_comes_back_as_given(
        self, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        placed = an_entry_in_turn(account, at=now, sequence=1)
        plain = an_audit_entry(account, at=now)
        odd = evolve(
            an_entry_in_turn(account, at=now, sequence=3), mac=b"\xff\x00\x5c" * 9, mac_key="ffff"
        )
        for entry in (placed, plain, odd):
            await audit_log.append(entry)
        first, second, third = await audit_log.entries(account=account)
        assert exactly(first) == exactly(placed)
        assert exactly(second) == (plain, 2, b"", "")
        assert exactly(third) == exactly(odd)

    async def test_head_is_the_last_entry(
        self, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        assert await audit_log.head(account) == AuditHead()
        await audit_log.append(an_audit_entry(account, at=now))
        assert await audit_log.head(account) == AuditHead(1, b"")
        entry = an_entry_in_turn(account, at=now, sequence=2)
        await audit_log.append(entry)
        assert await audit_log.head(account) == AuditHead(2, entry.mac)
        assert await audit_log.head(f"{account}-other") == AuditHead()

    async def test_entry_out_of_turn_is_refused(
        self, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        await refused_out_of_turn(audit_log.append, audit_log, account, at=now)
        await kept_in_turn(audit_log.append, audit_log, account, at=now)
        await audit_log.append(an_audit_entry(f"{account}-other", at=now))
        await refused_out_of_turn(audit_log.append, audit_log, account, at=now)
        await kept_in_turn(audit_log.append, audit_log, account, at=now)

    async def test_taken_id_is_refused(
        self, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        entry = an_audit_entry(account, at=now)
        await audit_log.append(entry)
        for who in (account, f"{account}-other"):
            with pytest.raises(Conflict):
                await audit_log.append(evolve(entry, account=who, action="contract.forged"))
        await audit_log.append(an_audit_entry(account, at=now))
        first, _ = await numbered(audit_log, account)
        assert first == entry
        assert await audit_log.entries(account=f"{account}-other") == ()

    async def test_change_whose_audit_id_is_taken_is_refused_whole(
        self, audit_log: AuditLog, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        entry, key = an_audit_entry(account, at=now), an_api_key(account, at=now)
        await audit_log.append(entry)
        with pytest.raises(Conflict):
            await key_store.add(key, audit=entry)
        assert await key_store.find(key.secrets[0].kid) is None
        assert await audit_log.entries(account=account) == (entry,)

    async def test_accounts_that_have_entries_come_in_pages(
        self, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        names = [account + end for end in ("", "-1", "-2", "-Z", "-a", "_", "a")]
        for name in reversed(names):
            for _ in range(3):
                await audit_log.append(an_audit_entry(name, at=now))
        seen: list[str] = []
        after = account[:-1]  # no account is called that
        while len(seen) < len(names):
            page = await audit_log.accounts(after=after, limit=2)
            assert len(page) == 2 or len(seen) + len(page) >= len(names)
            seen += page
            after = page[-1]
        assert seen[: len(names)] == names
        assert await audit_log.accounts(limit=0) == ()
        assert len(await audit_log.accounts(limit=1)) == 1

    async def test_concurrent_entries_leave_no_gap(
        self, audit_log: AuditLog, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        await asyncio.gather(
            *(audit_log.append(an_audit_entry(account, at=now)) for _ in range(20)),
            *(
                key_store.add(an_api_key(account, at=now), audit=an_audit_entry(account, at=now))
                for _ in range(10)
            ),
        )
        assert len(await numbered(audit_log, account)) == 30

    async def test_one_of_many_concurrent_entries_gets_the_turn(
        self, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        entries = [an_entry_in_turn(account, at=now, sequence=1) for _ in range(20)]
        answers = await asyncio.gather(*map(audit_log.append, entries), return_exceptions=True)
        codes = [answer.code for answer in answers if isinstance(answer, Conflict)]
        assert codes == ["audit_moved"] * 19
        (kept,) = await numbered(audit_log, account)
        assert exactly(kept) == exactly(entries[answers.index(None)])

    async def test_chain_of_many_writers_holds(
        self, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        await audit_log.append(an_audit_entry(account, at=now))  # from before there were chains
        await asyncio.gather(*(chain(audit_log, account, at=now) for _ in range(8)))
        state, seen = ChainState(), list[AuditEntry]()
        while page := await audit_log.entries(
            account=account, limit=2, after=seen[-1].id if seen else None
        ):
            seen += page
            state = follow(state, page, {KEY.id: KEY})
        assert (state.fault, state.unchained, state.entries) == (None, 1, 8)
        assert state.head == await audit_log.head(account)

    @pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 8, 20, 60])
    async def test_cancelled_entry_leaves_no_gap(
        self, audit_log: AuditLog, account: str, now: datetime, ticks: int
    ) -> None:
        first, second = an_audit_entry(account, at=now), an_audit_entry(account, at=now)
        task = asyncio.ensure_future(audit_log.append(first))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await audit_log.append(second)  # by then the first is there, or never will be
        assert await numbered(audit_log, account) in ((second,), (first, second))
