"""A rotation that dies at any step loses nothing, and the next one finishes it (T22)."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.application.asked_models import KeyedModel, answer
from tests.hosts.rotating_host import DIED, rotate, settings_of
from tests.servers.postgres import migrated_database
from tollkeeper import Secret, Tollkeeper, open_tollkeeper
from tollkeeper.adapters.cryptography.keyring_file import add_primary, new_keyring
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.domain.encryption import DataKeyState

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
ACCOUNTS, VALUES = ("acme", "other"), 2
SAMPLE = (9, 26)
MOST_STEPS = 200


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store that outlives the process."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/tollkeeper.db"
    else:
        with migrated_database() as url:
            yield url


def run(store: str, ring: Path, *, last: int) -> int | None:
    """Rotate in a process that dies at step *last*; tell how many steps there were if it lived."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.hosts.rotating_host", store, str(ring), str(last)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if ran.returncode == DIED:
        return None
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout)


async def fill(url: str, ring: Path, **lent: Any) -> dict[str, str]:
    """Let the accounts keep credentials, and return their texts by account and label."""
    texts = {}
    models = {"tokens": KeyedModel("tokens", answer())}
    async with open_tollkeeper(settings_of(url, str(ring)), chat_models=models, **lent) as tk:
        for account in ACCOUNTS:
            own = tk.credentials.of_account(account)
            for number in range(VALUES):
                text = f"sk-{account}-{number}"
                await own.store(provider="tokens", secret=Secret(text), label=f"{number}")
                texts[f"{account} {number}"] = text
    return texts


async def check(tk: Tollkeeper, texts: dict[str, str]) -> dict[str, list[DataKeyState]]:
    """Check that all is readable and whole; return the states of the data keys by account."""
    found, states = {}, {}
    rotation = tk.rotate_encryption
    for account in ACCOUNTS:
        assert rotation.data_keys is not None
        rotation.data_keys.forget(account)
        own = tk.credentials.of_account(account)
        for each in await own.list():
            found[f"{account} {each.label}"] = (await own.load(each.id)).secret.reveal()
        keys = await rotation.data_key_store.of_account(account)
        states[account] = [key.state for key in keys]
        assert states[account].count(DataKeyState.PRIMARY) == 1
        for key in keys[-3:]:
            if key.state is DataKeyState.DESTROYED:
                rows = rotation.credential_store.encrypted_with(key.id)
                assert await rows == (), "a value is under a key that is gone"
    assert found == texts
    return states


async def go_on(tk: Tollkeeper, texts: dict[str, str]) -> None:
    """Check what a rotation left that died, finish it, and check again."""
    await check(tk, texts)
    await tk.rotate_encryption()
    states = await check(tk, texts)
    assert [of.count(DataKeyState.READABLE) for of in states.values()] == [0] * len(ACCOUNTS)


async def die_and_go_on(store: str, ring: Path, texts: dict[str, str], *, last: int) -> bool:
    """Die at step *last*, check, finish, check; tell whether the rotation was over before that."""
    if run(store, ring, last=last) is not None:
        return True
    async with open_tollkeeper(settings_of(store, str(ring))) as tk:
        await go_on(tk, texts)
        for account in ACCOUNTS:
            assert (await tk.verify_audit(account=account)).ok
    return False


async def _ready(store: str, folder: Path) -> tuple[Path, dict[str, str]]:
    ring = folder / "kek.keyring"
    new_keyring(ring, at=datetime.now(UTC))
    texts = await fill(store, ring)
    add_primary(ring, at=datetime.now(UTC))
    return ring, texts


async def test_a_rotation_that_dies_is_finished_by_the_next(store: str, tmp_path: Path) -> None:
    """At some of the steps: every value is readable, and none is left under the old key (T22)."""
    ring, texts = await _ready(store, tmp_path)
    for last in SAMPLE:
        assert not await die_and_go_on(store, ring, texts, last=last)


class Dead(BaseException):
    """Ends a rotation where it stands, and nothing else."""


def _fall_dead() -> None:
    raise Dead


async def test_a_rotation_may_be_broken_off_at_every_step(tmp_path: Path) -> None:
    """At each of them, one after the other, until it lives, over one store in memory (T22)."""
    ring, store = tmp_path / "kek.keyring", MemoryStore()
    new_keyring(ring, at=datetime.now(UTC))
    texts = await fill("memory://", ring, store=store)
    died = 0
    async with open_tollkeeper(settings_of("memory://", str(ring)), store=store) as tk:
        for last in range(1, MOST_STEPS):
            if last % 10 == 1:
                add_primary(ring, at=datetime.now(UTC))
            try:
                await rotate(tk, last, _fall_dead)
            except Dead:
                died += 1
            else:
                break
            await go_on(tk, texts)
    assert max(SAMPLE) < died < MOST_STEPS - 1


@pytest.mark.soak
async def test_a_rotation_may_die_at_every_step(store: str, tmp_path: Path) -> None:
    """At each of them, one after the other, until it lives (T22); on a server, at each third."""
    ring, texts = await _ready(store, tmp_path)
    for last in range(1, MOST_STEPS, 1 if store.startswith("sqlite") else 3):
        if await die_and_go_on(store, ring, texts, last=last):
            assert last > max(SAMPLE), "the sample is of steps that there are"
            return
    raise AssertionError("it never lived: raise MOST_STEPS")
