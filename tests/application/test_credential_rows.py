"""Rows of credentials that somebody wrote to behind our back are never used."""

from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tests.application.credential_worlds import CredentialWorld, open_credentials
from tests.application.raw_stores import KINDS, RawStore, raw_store
from tollkeeper import Secret
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.credentials import StoredCredential
from tollkeeper.domain.encryption import DataKey, WrappedKey
from tollkeeper.domain.errors import Conflict, CorruptResponse, NotFound, PortError, TollkeeperError

pytestmark = pytest.mark.anyio
ONE, TWO = "sk-canary-0123456789abcdef-one", "sk-canary-fedcba9876543210-two"
Change = Callable[[StoredCredential, StoredCredential], StoredCredential]


@pytest.fixture(scope="module", params=KINDS)
def raw(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with raw_store(request.param, tmp_path_factory.mktemp("credentials")) as store:
        yield store


def _flipped(sealed: bytes, position: int) -> bytes:
    changed = bytearray(sealed)
    changed[position] ^= 1
    return bytes(changed)


def _with(**changes: Any) -> Change:
    return lambda row, _: evolve(row, **changes)


def _text(change: Callable[[bytes], bytes]) -> Change:
    return lambda row, _: evolve(row, sealed=change(row.sealed))


CHANGES: dict[str, tuple[str, Change]] = {
    "another id": ("decryption_failed", _with(id=new_id("cred"))),
    "another provider": ("decryption_failed", _with(provider="spare")),
    "another base URL": ("decryption_failed", _with(base_url="https://evil.example")),
    "a longer base URL": ("decryption_failed", _with(base_url="https://one.example/")),
    "the text of another row": (
        "decryption_failed",
        lambda row, other: evolve(row, sealed=other.sealed),
    ),
    "a bit of the text": ("decryption_failed", _text(lambda text: _flipped(text, -20))),
    "a bit of the tag": ("decryption_failed", _text(lambda text: _flipped(text, -1))),
    "a text cut short": ("decryption_failed", _text(lambda text: text[:-1])),
    "more text": ("decryption_failed", _text(lambda text: text + b"!")),
    "another data key": ("data_key_not_found", _text(lambda text: _flipped(text, 12))),
    "another algorithm": ("sealed_value_malformed", _text(lambda text: _flipped(text, 1))),
    "another format": ("sealed_value_malformed", _text(lambda text: _flipped(text, 0))),
    "no text": ("sealed_value_malformed", _text(lambda _: b"")),
    "plain text": (
        "sealed_value_malformed",
        _text(lambda _: b'["tokens", "https://one.example", "sk-plain"]'),
    ),
}


async def _failure(world: CredentialWorld, credential_id: str) -> TollkeeperError:
    with pytest.raises(TollkeeperError) as failed:
        await world.own.load(credential_id)
    return failed.value


@pytest.mark.parametrize("name", CHANGES)
async def test_a_row_that_was_written_to_does_not_open(
    raw: RawStore, tmp_path: Path, name: str
) -> None:
    """Moved to another id, provider or base URL, or damaged: a typed error, no secret (T19, T5)."""
    code, change = CHANGES[name]
    async with open_credentials(tmp_path, raw) as world:
        first, second = await world.store(ONE), await world.store(TWO, label="second")
        row = await world.row(first)
        changed = change(row, await world.row(second))
        assert changed != row
        await raw.write_credential(changed, former_id=first)
        assert await world.row(changed.id) == changed
        failed = await _failure(world, changed.id)
        assert failed.code == code
        assert isinstance(failed, CorruptResponse | NotFound)
        assert await world.load(second) == TWO
        # Whoever owns it can put it right, or take it away.
        await world.own.replace(changed.id, secret=Secret(TWO))
        loaded = await world.own.load(changed.id)
        assert (loaded.provider, loaded.base_url) == (changed.provider, changed.base_url)
        await world.own.remove(changed.id)


async def test_a_text_opens_in_its_own_row_only(raw: RawStore, tmp_path: Path) -> None:
    """All ordered pairs of rows of two accounts, with one and with two data keys (T19)."""
    async with open_credentials(tmp_path, raw) as acme:
        other = CredentialWorld(acme.tk, acme.models, new_id("account"))
        places: list[tuple[CredentialWorld, StoredCredential, str]] = []
        for world in (acme, other):
            for label in ("one", "two", "three"):
                if label == "three":  # under another data key
                    assert acme.tk.rotate_encryption.data_keys is not None
                    await acme.tk.rotate_encryption.data_keys.make(world.account, actor="test")
                text = f"sk-{world.account}-{label}"
                row = await world.row(await world.store(text, label=label))
                places.append((world, row, text))
        assert len({row.data_key_id for _, row, _ in places}) == 4
        for (_, source, _), (world, target, text) in permutations(places, 2):
            swapped = evolve(target, sealed=source.sealed, version=target.version + 1)
            await raw.write_credential(swapped)
            failed = await _failure(world, target.id)
            assert failed.code in ("decryption_failed", "data_key_not_found")
            await raw.write_credential(target)
            assert await world.load(target.id) == text


async def test_a_row_that_was_moved_to_another_account_does_not_open(
    raw: RawStore, tmp_path: Path
) -> None:
    """Neither there, where it would be used, nor in its own, where it is no more (T19, T5)."""
    async with open_credentials(tmp_path, raw) as acme:
        thief = CredentialWorld(acme.tk, acme.models, new_id("account"))
        await thief.store(TWO, label="own")
        stored = await acme.store(ONE)
        row = await acme.row(stored)
        await raw.write_credential(evolve(row, account=thief.account))
        assert (await _failure(thief, stored)).code == "data_key_not_found"
        assert (await _failure(acme, stored)).code == "credential_not_found"
        # Not even with the data key, which was wrapped for its own account.
        [key] = await acme.data_keys()
        moved = evolve(key, account=thief.account, state="readable")
        await raw.write_data_key(moved)
        assert (await _failure(thief, stored)).code == "decryption_failed"


async def test_a_data_key_that_was_written_to_does_not_open(raw: RawStore, tmp_path: Path) -> None:
    """Damaged, or in the place of another one, or with another commitment (T19, T5)."""
    async with open_credentials(tmp_path, raw) as acme:
        stored = await acme.store(ONE)
        [key] = await acme.data_keys()
        other = CredentialWorld(acme.tk, acme.models, new_id("account"))
        await other.store(TWO)
        [foreign] = await other.data_keys()
    wrapped, kek = key.wrapped.ciphertext, key.wrapped.kek_id
    written: list[tuple[DataKey, str]] = [
        (evolve(key, wrapped=WrappedKey(kek, _flipped(wrapped, -1))), "decryption_failed"),
        (evolve(key, wrapped=foreign.wrapped), "decryption_failed"),
        (evolve(key, commitment=foreign.commitment), "data_key_mismatch"),
        (evolve(key, wrapped=WrappedKey("kek_0123456789abcdef", wrapped)), ""),
    ]
    for damaged, code in written:
        await raw.write_data_key(damaged)
        async with open_credentials(tmp_path, raw, account=acme.account) as later:
            failed = await _failure(later, stored)
            assert isinstance(failed, PortError)
            assert failed.code == code or not code
    await raw.write_data_key(key)
    async with open_credentials(tmp_path, raw, account=acme.account) as later:
        assert await later.load(stored) == ONE


async def test_a_value_whose_data_key_was_destroyed_is_gone(raw: RawStore, tmp_path: Path) -> None:
    async with open_credentials(tmp_path, raw) as world:
        stored = await world.store(ONE)
        [key] = await world.data_keys()
    await raw.write_data_key(key.destroy())
    async with open_credentials(tmp_path, raw, account=world.account) as later:
        failed = await _failure(later, stored)
        assert isinstance(failed, Conflict)
        assert failed.code == "data_key_destroyed"
        assert "cannot be read again" in str(failed)
        await later.own.replace(stored, secret=Secret(TWO))
        assert await later.load(stored) == TWO
