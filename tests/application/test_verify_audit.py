"""The audit log tells of every change, and of whoever wrote to it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tests.application.raw_stores import KINDS, RawStore, raw_store
from tests.application.world import settings_in
from tollkeeper import Tollkeeper, open_tollkeeper
from tollkeeper.application.manage_plans import EVERYONE
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.audit import AuditEntry, AuditHead, AuditKey, Fault, chained
from tollkeeper.domain.errors import RateLimited, TollkeeperError, Unauthenticated
from tollkeeper.domain.key_tokens import encode_kid, encode_token

pytestmark = pytest.mark.anyio
CHAT = {"chat:complete"}
ENTRIES = 6
FLOOD = 100_000
Entries = Sequence[AuditEntry]


@pytest.fixture(scope="module", params=KINDS)
def raw(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with raw_store(request.param, tmp_path_factory.mktemp("audit")) as store:
        yield store


async def filled(tk: Tollkeeper) -> str:
    """Return an account with six entries in its log."""
    account = new_id("account")
    for _ in range(ENTRIES // 2):
        issued = await tk.issue_key(account=account, scopes=CHAT)
        await tk.revoke_key(account=account, key_id=issued.key.id)
    return account


def _put(entries: Entries, at: int, entry: AuditEntry) -> Entries:
    return [*entries[:at], entry, *entries[at + 1 :]]


def _changed(at: int, **changes: Any) -> Callable[[Entries], Entries]:
    return lambda entries: _put(entries, at, evolve(entries[at], **changes))


def _swapped(entries: Entries) -> Entries:
    """Change the order of two, and number them as if nothing were."""
    one, two = entries[2], entries[3]
    moved = [evolve(two, sequence=one.sequence), evolve(one, sequence=two.sequence)]
    return [*entries[:2], *moved, *entries[4:]]


def _without_third(entries: Entries) -> Entries:
    return [*entries[:2], *entries[3:]]


def _without_third_numbered_anew(entries: Entries) -> Entries:
    return [evolve(each, sequence=n) for n, each in enumerate(_without_third(entries), 1)]


def _forged(entries: Entries) -> AuditEntry:
    return evolve(entries[2], id=new_id("audit"), action="key.enabled")


def _inserted(entries: Entries) -> Entries:
    more = [*entries[:2], _forged(entries), *entries[2:]]
    return [evolve(each, sequence=n) for n, each in enumerate(more, 1)]


def _appended(entries: Entries) -> Entries:
    return [*entries, evolve(_forged(entries), sequence=ENTRIES + 1)]


def _chained_by_another(entries: Entries) -> Entries:
    last = entries[-1]
    assert last.sequence is not None
    head = AuditHead(last.sequence, last.mac)
    return [*entries, chained(_forged(entries), head, AuditKey(bytes(range(32))))]


TAMPERINGS: dict[str, tuple[Callable[[Entries], Entries], Fault, int]] = {
    "the first taken away": (lambda entries: entries[1:], Fault.GAP, 1),
    "one taken away": (_without_third, Fault.GAP, 3),
    "one taken away, numbered anew": (_without_third_numbered_anew, Fault.CHANGED, 3),
    "two swapped": (_swapped, Fault.CHANGED, 3),
    "one inserted": (_inserted, Fault.CHANGED, 3),
    "one appended": (_appended, Fault.CHANGED, ENTRIES + 1),
    "one appended, chained by another": (_chained_by_another, Fault.UNKNOWN_KEY, ENTRIES + 1),
    "another actor": (_changed(3, actor="nobody"), Fault.CHANGED, 4),
    "another action": (_changed(0, action="key.deleted"), Fault.CHANGED, 1),
    "another subject": (_changed(5, subject="key_of_others"), Fault.CHANGED, 6),
    "other details": (_changed(2, details={"scopes": "all"}), Fault.CHANGED, 3),
    "another id": (_changed(4, id="audit_forged"), Fault.CHANGED, 5),
    "another MAC": (_changed(1, mac=bytes(32)), Fault.CHANGED, 2),
    "no MAC": (_changed(2, mac=b"", mac_key=""), Fault.UNCHAINED, 3),
    "no MAC on the last": (_changed(5, mac=b"", mac_key=""), Fault.UNCHAINED, 6),
    "another key's name": (_changed(3, mac_key="0123456789ab"), Fault.UNKNOWN_KEY, 4),
}


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_the_first_break_is_named(raw: RawStore, tmp_path: Path, name: str) -> None:
    """Entries that are changed, gone, moved or added, by whoever has the database (T24)."""
    tamper, fault, sequence = TAMPERINGS[name]
    async with open_tollkeeper(settings_in(tmp_path, store=raw.url), **raw.lent) as tk:
        account, other = await filled(tk), await filled(tk)
        assert (await tk.verify_audit(account=account)).ok
        entries = await tk.list_audit(account=account)
        await raw.write_audit(account, *tamper(entries))
        check = await tk.verify_audit(account=account)
        assert check.state.fault is not None
        assert (check.state.fault.fault, check.state.fault.sequence) == (fault, sequence)
        assert check.state.head.sequence == sequence - 1
        assert (await tk.verify_audit(account=other)).ok
        broken = {each.account async for each in tk.verify_audit.all() if not each.ok}
        assert account in broken
        assert other not in broken
        await raw.write_audit(account, *entries)
        assert (await tk.verify_audit(account=account)).ok


async def test_an_end_that_was_cut_off_is_told_to_who_knows_the_end(
    raw: RawStore, tmp_path: Path
) -> None:
    """With where the chain ended, as it was written down elsewhere (T24)."""
    async with open_tollkeeper(settings_in(tmp_path, store=raw.url), **raw.lent) as tk:
        account = await filled(tk)
        known = (await tk.verify_audit(account=account)).state.head
        entries = await tk.list_audit(account=account)
        assert known.sequence == ENTRIES
        for kept in (0, 3, ENTRIES - 1):
            await raw.write_audit(account, *entries[:kept])
            assert (await tk.verify_audit(account=account)).ok  # by itself it tells nothing
            fault = (await tk.verify_audit(account=account, known=known)).state.fault
            assert fault is not None
            assert (fault.fault, fault.sequence) == (Fault.CUT, kept + 1)
        # Who cuts it off and lets it grow again does not get the same end.
        await tk.issue_key(account=account, scopes=CHAT)
        fault = (await tk.verify_audit(account=account, known=known)).state.fault
        assert fault is not None
        assert (fault.fault, fault.sequence) == (Fault.CHANGED, ENTRIES)
        await raw.write_audit(account, *entries)
        await tk.issue_key(account=account, scopes=CHAT)
        assert (await tk.verify_audit(account=account, known=known)).ok


async def test_who_is_cancelled_leaves_a_change_with_its_entry_or_neither(
    raw: RawStore, tmp_path: Path
) -> None:
    """Between a change and its entry there is nothing to break off at (T24)."""
    async with open_tollkeeper(settings_in(tmp_path, store=raw.url), **raw.lent) as tk:
        account = new_id("account")
        for turns in range(40):
            change = asyncio.ensure_future(tk.issue_key(account=account, scopes=CHAT))
            for _ in range(turns):
                await asyncio.sleep(0)
            if turns % 7:
                await asyncio.sleep(0.002 * turns)
            change.cancel()
            await asyncio.gather(change, return_exceptions=True)
    async with open_tollkeeper(settings_in(tmp_path, store=raw.url), **raw.lent) as tk:
        keys = {key.id for key in await tk.list_keys(account=account, limit=1000)}
        entries = await tk.list_audit(account=account, limit=1000)
        assert [entry.subject for entry in entries if entry.subject not in keys] == []
        assert 0 < len(entries) == len(keys) < 40
        assert (await tk.verify_audit(account=account)).ok


async def test_a_change_whose_entry_cannot_be_written_is_not_made(
    raw: RawStore, tmp_path: Path
) -> None:
    """The store refuses the whole of it (T24)."""
    async with open_tollkeeper(settings_in(tmp_path, store=raw.url), **raw.lent) as tk:
        account = await filled(tk)
        store = tk.seal_keys.key_store
        [key, *_] = await tk.list_keys(account=account)
        entries = await tk.list_audit(account=account)
        changed = evolve(key, name="changed", version=key.version + 1)
        for audit in (entries[2], evolve(entries[-1], id=new_id("audit"))):
            for change in (store.replace(changed, audit=audit), store.remove(key, audit=audit)):
                with pytest.raises(TollkeeperError):
                    await change
        assert await store.get(account=account, key_id=key.id) == key
        assert await tk.list_audit(account=account) == entries


async def test_a_flood_of_bad_keys_makes_few_entries_and_exact_counts(tmp_path: Path) -> None:
    """10^5 keys that are no keys, and others: a few rows, which add up to the last one (T25)."""
    expected: Counter[str] = Counter()
    with raw_store("sqlite", tmp_path) as raw:
        async with open_tollkeeper(settings_in(tmp_path, store=raw.url), **raw.lent) as tk:
            issued = [await tk.issue_key(account="acme", scopes=CHAT) for _ in range(3)]
            await tk.revoke_key(account="acme", key_id=issued[0].key.id)
            await tk.disable_key(account="acme", key_id=issued[1].key.id)
            authenticate = tk.authenticate_key

            async def refused(token: str, reason: str, times: int) -> None:
                expected[reason] += times
                for _ in range(times):
                    with pytest.raises((Unauthenticated, RateLimited)):
                        await authenticate(token)

            await refused(issued[0].token.reveal(), "key_revoked", 200)
            await refused(issued[1].token.reveal(), "key_disabled", 100)
            for number in range(5):
                kid = encode_kid(number.to_bytes(10))
                await refused(encode_token("tk_test", kid, bytes(32)), "unknown", 1)
            wrong = encode_token("tk_test", issued[2].key.secrets[0].kid, b"\1" * 32)
            await refused(wrong, "wrong_secret", 1)
            expected["malformed"] += FLOOD
            for _ in range(FLOOD):
                try:
                    await authenticate("tk_test_nothing")
                except Unauthenticated:
                    continue
                raise AssertionError("that is no key")
            assert tk.authenticate_key.refusals.totals == expected
        async with open_tollkeeper(settings_in(tmp_path, store=raw.url), **raw.lent) as tk:
            written: Counter[str] = Counter()
            rows = 0
            for account in ("acme", EVERYONE):
                for entry in await tk.list_audit(account=account, limit=1000):
                    if entry.action == "key.refused":
                        rows += 1
                        for reason, count in entry.details.items():
                            written[reason.split()[0]] += int(count)
                assert (await tk.verify_audit(account=account)).ok
            assert written == expected
            assert 2 <= rows <= 6
