"""Peppers are rotated under a facade that goes on, and a lost one fails closed and is named."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.world import settings_in
from tollkeeper import Secret, Tollkeeper, open_tollkeeper
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.domain.api_keys import IssuedKey
from tollkeeper.domain.errors import Conflict, Unavailable
from tollkeeper.domain.key_tokens import Pepper

pytestmark = pytest.mark.anyio
OLD, NEW = (Secret(f"{number}123456789abcdef" * 4) for number in "78")
SCOPES = {"chat:complete"}


def name_of(pepper: Secret) -> str:
    return Pepper(pepper.reveal().encode()).id


async def issue(tk: Tollkeeper) -> IssuedKey:
    return await tk.issue_key(account="acme", scopes=SCOPES)


def with_peppers(folder: Path, *peppers: Secret) -> Any:
    return settings_in(folder, key_pepper=peppers[0], retired_key_peppers=peppers[1:])


async def test_a_list_of_before_a_rotation_refuses_newer_keys_and_says_why(tmp_path: Path) -> None:
    """A pepper list that is rolled back is an outage, and never "no such key" (T27)."""
    store = MemoryStore()
    async with open_tollkeeper(with_peppers(tmp_path, OLD), store=store) as tk:
        before = await issue(tk)
    async with open_tollkeeper(with_peppers(tmp_path, NEW, OLD), store=store) as tk:
        after = await issue(tk)
        assert (await tk.authenticate_key(after.token)).key_id == after.key.id
    async with open_tollkeeper(with_peppers(tmp_path, OLD), store=store) as tk:
        assert (await tk.authenticate_key(before.token)).key_id == before.key.id
        with pytest.raises(Unavailable) as refused:
            await tk.authenticate_key(after.token)
        assert refused.value.code == "pepper_unknown"
        assert "retired_key_peppers" in str(refused.value)
        with pytest.raises(Conflict) as conflict:
            await tk.update_key(account="acme", key_id=after.key.id, name="renamed")
        assert conflict.value.code == "pepper_unknown"
        assert name_of(NEW) in str(conflict.value)
        report = await tk.seal_keys()
        assert report.tampered == (after.key.id,)
        assert report.under == {name_of(OLD): 1, name_of(NEW): 1}
        assert report.missing == (name_of(NEW),)
        await tk.revoke_key(account="acme", key_id=after.key.id)
        report = await tk.seal_keys()
        assert (report.under, report.missing) == ({name_of(OLD): 1}, ())


async def test_what_ended_needs_no_pepper_any_more(tmp_path: Path) -> None:
    """Else a retired pepper could never go: a revoked key is shown no more, and stays under it."""
    store, clock = MemoryStore(), MemoryClock()
    day = timedelta(days=1)
    async with open_tollkeeper(with_peppers(tmp_path, OLD), store=store, clock=clock) as tk:
        revoked, rotated, resting = await issue(tk), await issue(tk), await issue(tk)
        await tk.issue_key(account="acme", scopes={"chat:complete"}, expires_in=day / 2)
        await tk.revoke_key(account="acme", key_id=revoked.key.id)
        await tk.disable_key(account="acme", key_id=resting.key.id)
    async with open_tollkeeper(with_peppers(tmp_path, NEW, OLD), store=store, clock=clock) as tk:
        await tk.rotate_key(account="acme", key_id=rotated.key.id, overlap=day)
        report = await tk.seal_keys()
        assert report.under == {name_of(OLD): 3, name_of(NEW): 1}
        clock.advance(day)
        report = await tk.seal_keys()
        assert report.under == {name_of(OLD): 1, name_of(NEW): 1}  # the one that rests
        assert (report.keys, report.tampered, report.missing) == (4, (), ())


async def test_a_key_that_is_used_needs_the_old_pepper_no_more(tmp_path: Path) -> None:
    """What is used moves by itself; the report tells what the old pepper is still for (T27)."""
    store = MemoryStore()
    async with open_tollkeeper(with_peppers(tmp_path, OLD), store=store) as tk:
        used, unused = await issue(tk), await issue(tk)
    async with open_tollkeeper(with_peppers(tmp_path, NEW, OLD), store=store) as tk:
        report = await tk.seal_keys()
        assert (report.keys, report.renewed, report.sealed, report.tampered) == (2, 2, 0, ())
        assert report.under == {name_of(OLD): 2}
        await tk.authenticate_key(used.token)
        report = await tk.seal_keys()
        assert (report.keys, report.renewed) == (2, 0)
        assert report.under == {name_of(NEW): 1, name_of(OLD): 1}
        entries = await tk.list_audit(account="acme")
        renewed = [entry for entry in entries if entry.action == "key.renewed"]
        assert [(entry.subject, entry.details) for entry in renewed] == [
            (used.key.id, {"pepper": name_of(NEW)})
        ]
    async with open_tollkeeper(with_peppers(tmp_path, NEW), store=store) as tk:
        assert (await tk.authenticate_key(used.token)).key_id == used.key.id
        with pytest.raises(Unavailable):
            await tk.authenticate_key(unused.token)
        await tk.delete_key(account="acme", key_id=unused.key.id)
        assert (await tk.seal_keys()).under == {name_of(NEW): 1}
        # The log was chained under the old pepper at first, and names it.
        check = await tk.verify_audit(account="acme")
        assert check.state.fault is not None
    async with open_tollkeeper(with_peppers(tmp_path, NEW, OLD), store=store) as tk:
        assert (await tk.verify_audit(account="acme")).ok


def write(folder: Path, current: Secret, previous: Secret | None) -> None:
    """Put versions of the secret into files in one step each, as a secret's mount does."""
    for name, secret in (("pepper.previous", previous), ("pepper", current)):
        if secret is not None:
            (folder / "new").write_text(secret.reveal())
            os.replace(folder / "new", folder / name)


async def test_a_pepper_in_a_file_is_rotated_without_a_restart(tmp_path: Path) -> None:
    """Two facades on one store; the file changes under both, and no key stops working (T27)."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    write(secrets, OLD, None)
    settings = settings_in(
        tmp_path,
        key_pepper=None,
        pepper_secret="pepper",
        secret_source=f"file://{secrets}",
        audit_key=Secret("9abcdef012345678" * 4),
    )
    store, clock = MemoryStore(), MemoryClock()
    async with (
        open_tollkeeper(settings, store=store, clock=clock) as tk,
        open_tollkeeper(settings, store=store, clock=clock) as other,
    ):
        before = await issue(tk)
        write(secrets, NEW, OLD)
        peppers: Any = tk.seal_keys.mint.peppers
        await peppers.reload()
        after = await issue(tk)
        assert after.key.secrets[0].pepper_id == name_of(NEW)
        # The other one has not heard of it: the first key that it does not know lets it look.
        for each in (after, before):
            assert (await other.authenticate_key(each.token)).key_id == each.key.id
        assert (await other.seal_keys()).under == {name_of(NEW): 2}
        assert (await tk.authenticate_key(before.token)).key_id == before.key.id
        assert (await tk.verify_audit(account="acme")).ok
