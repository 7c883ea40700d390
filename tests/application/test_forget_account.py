"""Forgetting an account: what it entrusted to us can never be read again, and no canary stays."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tests.application.credential_worlds import (
    CredentialWorld,
    keyring_in,
    open_credentials,
)
from tests.application.raw_stores import (
    KINDS,
    RawMemory,
    RawPostgres,
    RawSqlite,
    RawStore,
    raw_store,
)
from tests.canary import assert_no_trace, postgres_rows, recorded_logs, sqlite_files
from tollkeeper import Secret
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.encryption import DataKeyState
from tollkeeper.domain.errors import InvalidRequest, NotFound, TollkeeperError

pytestmark = pytest.mark.anyio
ONE, TWO = "sk-canary-0123456789abcdef-one", "sk-canary-fedcba9876543210-two"
CANARIES = (ONE, TWO, ONE[10:], TWO[10:])


@pytest.fixture(params=KINDS)
def raw(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    with raw_store(request.param, tmp_path) as store:
        yield store


async def test_an_account_that_is_forgotten_leaves_nothing_to_read(
    raw: RawStore, tmp_path: Path
) -> None:
    async with open_credentials(tmp_path, raw) as world:
        bystander = CredentialWorld(world.tk, world.models, new_id("account"))
        kept = await bystander.store(TWO)
        rows = [await world.row(await world.store(ONE, label=f"{n}")) for n in range(3)]
        assert world.tk.rotate_encryption.data_keys is not None
        await world.tk.rotate_encryption.data_keys.make(world.account, actor="test")
        await world.store(ONE, label="under the second data key")
        wrapped = [key.wrapped.ciphertext for key in await world.data_keys()]
        assert len(wrapped) == 2
        assert await world.tk.forget_account(account=world.account, actor="ops:ann") == 4

        assert await world.own.list() == ()
        for key in await world.data_keys():
            assert (key.state, key.wrapped.ciphertext) == (DataKeyState.DESTROYED, b"")
        # A copy of a row, as from a backup, is put back: nothing opens it any more.
        await raw.write_credential(rows[0], former_id=kept)
        with pytest.raises(TollkeeperError) as gone:
            await world.own.load(rows[0].id)
        assert gone.value.code == "data_key_destroyed"
        assert_no_trace(wrapped, *await _stored(raw))

        new = await world.store(TWO, label="after it came back")
        assert await world.load(new) == TWO
        assert (await world.row(new)).data_key_id not in {row.data_key_id for row in rows}
        states = [key.state for key in await world.data_keys()]
        assert states.count(DataKeyState.PRIMARY) == 1
        entries = await world.tk.list_audit(account=world.account)
        [told] = [entry for entry in entries if entry.action == "account.forgotten"]
        assert (told.actor, told.subject) == ("ops:ann", world.account)
        assert (await world.tk.verify_audit(account=world.account)).ok


async def test_others_keep_what_they_have(raw: RawStore, tmp_path: Path) -> None:
    async with open_credentials(tmp_path, raw) as world:
        bystander = CredentialWorld(world.tk, world.models, new_id("account"))
        kept = await bystander.store(TWO)
        await world.store(ONE)
        await world.tk.forget_account(account=world.account)
        assert await world.tk.forget_account(account=world.account) == 0
        assert await world.tk.forget_account(account=new_id("account")) == 0
        assert await bystander.load(kept) == TWO
        malformed: Any
        for malformed in ("", None, 5, "two words"):
            with pytest.raises(InvalidRequest):
                await world.tk.forget_account(account=malformed)
        with pytest.raises(InvalidRequest):
            await world.tk.forget_account(account=bystander.account, actor="two\nlines")
        assert await bystander.load(kept) == TWO
    async with open_credentials(
        tmp_path, raw, account=bystander.account, key_encryption=None
    ) as without:  # what forgets needs no key
        assert await without.tk.forget_account(account=bystander.account) == 1


async def test_what_is_stored_while_the_account_is_forgotten_is_gone_or_whole(
    raw: RawStore, tmp_path: Path
) -> None:
    async with open_credentials(tmp_path, raw) as world:
        await world.store(ONE)
        forgetting = asyncio.ensure_future(world.tk.forget_account(account=world.account))
        stored = await asyncio.gather(*(world.store(ONE, label=f"new {n}") for n in range(5)))
        await forgetting
        listed = {each.id for each in await world.own.list()}
        for each in stored:
            if each in listed:
                assert await world.load(each) == ONE
            else:
                with pytest.raises(NotFound):
                    await world.own.load(each)
        live = [key for key in await world.data_keys() if key.state is not DataKeyState.DESTROYED]
        assert len(live) == bool(listed)


async def _stored(raw: RawStore) -> list[object]:
    """Return all that is in the store, as bytes and as text."""
    if isinstance(raw, RawMemory):
        database = raw.store.database
        return [database.credentials, database.data_keys, dict(database.audit)]
    if isinstance(raw, RawPostgres):
        return list(await postgres_rows(raw.url))
    assert isinstance(raw, RawSqlite)
    # What was overwritten may lie in the file until it is folded up, as its backups do not.
    with contextlib.closing(sqlite3.connect(raw.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        tables = ("credentials", "data_keys", "audit_entries")
        rows = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
    return [rows, *sqlite_files(raw.path)]


async def test_a_secret_is_nowhere_to_be_found(raw: RawStore, tmp_path: Path) -> None:
    """Through every operation and its errors: no log, repr, traceback, entry or column (T23)."""
    failed: list[TollkeeperError] = []
    shown: list[object] = []

    async def fails(call: Awaitable[object]) -> None:
        with pytest.raises(TollkeeperError) as refused:
            await call
        failed.append(refused.value)

    with recorded_logs() as logs:
        async with open_credentials(tmp_path, raw) as world:
            stored = await world.own.store(provider="tokens", secret=Secret(ONE))
            other = await world.own.store(provider="spare", secret=Secret(TWO), label=f"{1}")
            replaced = await world.own.replace(other.id, secret=Secret(ONE))
            shown += [stored, other, replaced, await world.own.list(), world.own, world.tk]
            shown += [await world.own.load(stored.id), world.tk.credentials, world.tk.parts]
            await fails(world.store(TWO))
            await fails(world.store(TWO, provider="nobody"))
            await fails(world.store(TWO, label=""))
            await fails(world.store(TWO + " and blanks", label="blanks"))
            await fails(world.own.replace("nobody", secret=Secret(TWO)))
            wrong: Any = TWO
            await fails(world.own.replace(stored.id, secret=wrong))
            theirs = await world.row(other.id)
            swapped = evolve(await world.row(stored.id), sealed=theirs.sealed)
            await raw.write_credential(swapped)
            await fails(world.own.load(stored.id))
            [key] = await world.data_keys()
            shown += [key, world.tk.rotate_encryption.data_keys]
        ring = keyring_in(tmp_path)
        kek = _key_in(ring)
        async with open_credentials(tmp_path, raw, account=world.account) as later:
            _take_away(ring)
            for call in _needing_the_ring(later, other.id):
                await fails(call())
        shown.append(world.tk.list_audit)
        shown.append(await _stored(raw))
    assert len(failed) >= 9
    canaries = (*CANARIES, kek)
    assert_no_trace(canaries, logs, *failed, *shown)
    # It would be found, were it there.
    for place in (Secret(ONE).reveal(), [{"x": TWO}]):
        with pytest.raises(AssertionError, match="canary"):
            assert_no_trace(canaries, place)


def _needing_the_ring(world: CredentialWorld, stored: str) -> tuple[Callable[[], Any], ...]:
    return (
        lambda: world.own.load(stored),
        lambda: world.store(TWO, label="third"),
        lambda: world.own.replace(stored, secret=Secret(TWO)),
    )


def _key_in(ring: Path) -> str:
    return ring.read_text().splitlines()[-1].split()[1]


def _take_away(ring: Path) -> None:
    ring.unlink()
