"""A keyring keeps the contract of key-encryption keys, in a file and in a variable."""

import os
import shutil
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tollkeeper.adapters.cryptography.key_encryption import CryptographyKeyEncryption
from tollkeeper.adapters.cryptography.keyring import KekState, KeyEncryptionKey, Keyring
from tollkeeper.adapters.cryptography.keyring_file import add_primary, disable_key, new_keyring
from tollkeeper.contracts.key_encryption import Disable, KeyEncryptionContract, Rotate
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    Rejected,
    Unavailable,
)
from tollkeeper.ports.health import HealthCheck

pytestmark = pytest.mark.anyio
NOW = datetime(2001, 1, 1, 12, tzinfo=UTC)
CONTEXT = {"tenant": "acme", "env": "test"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.keyring"
    new_keyring(path, at=NOW)
    return path


@pytest.fixture
def keys(path: Path) -> CryptographyKeyEncryption:
    return CryptographyKeyEncryption.from_url(f"keyring://{path}", environ={})


class TestKeyringFile(KeyEncryptionContract):
    """A file that is changed while it is used."""

    @pytest.fixture
    def key_encryption(self, keys: CryptographyKeyEncryption) -> CryptographyKeyEncryption:
        return keys

    @pytest.fixture
    def rotate(self, path: Path) -> Rotate:
        async def rotate() -> None:
            add_primary(path, at=NOW)

        return rotate

    @pytest.fixture
    def disable(self, path: Path) -> Disable:
        async def disable(kek_id: str) -> None:
            disable_key(path, kek_id)

        return disable


class TestKeyringInMemory(KeyEncryptionContract):
    """What a variable holds; a new process with another one is stood for by setting it anew."""

    @pytest.fixture
    def key_encryption(self) -> CryptographyKeyEncryption:
        text = Keyring.new(at=NOW).text().reveal().replace("\n", ";")
        return CryptographyKeyEncryption.from_url("keyring+env://RING", environ={"RING": text})

    @pytest.fixture
    def rotate(self, key_encryption: CryptographyKeyEncryption) -> Rotate:
        async def rotate() -> None:
            key_encryption._source = (await key_encryption._keyring()).with_new_primary(at=NOW)

        return rotate

    @pytest.fixture
    def disable(self, key_encryption: CryptographyKeyEncryption) -> Disable:
        async def disable(kek_id: str) -> None:
            key_encryption._source = (await key_encryption._keyring()).with_disabled(kek_id)

        return disable


async def test_every_bit_and_every_cut_of_a_wrapped_key_counts(
    keys: CryptographyKeyEncryption,
) -> None:
    """Version, nonce, key and tag (T20)."""
    wrapped = (await keys.generate(context=CONTEXT)).wrapped
    whole = wrapped.ciphertext
    assert len(whole) == 61
    damaged = [whole[:cut] for cut in range(len(whole))]
    for at in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << at % 8
        damaged.append(bytes(flipped))
    for each in damaged:
        with pytest.raises(CorruptResponse):
            await keys.unwrap(evolve(wrapped, ciphertext=each), context=CONTEXT)


async def test_a_wrapped_key_of_an_earlier_release_unwraps() -> None:
    """The format stays what it is: this one was wrapped once and for all."""
    key = KeyEncryptionKey.made_of(sha256(b"test").digest(), state=KekState.PRIMARY, at=NOW)
    keys = CryptographyKeyEncryption(Keyring((key,)))
    assert key.id == "kek_28f128c5f90e1149"
    old = evolve(
        (await keys.generate(context=CONTEXT)).wrapped,
        ciphertext=bytes.fromhex(
            "01ee9726cbbf62567af555981904d1e2bbe58d3043c7dce1e3b20dbcc48c3ac7d19e93d50848a257d0944"
            "4bd41c434e31c6cf9ad1e745cbd3d4e13e96b"
        ),
    )
    assert await keys.unwrap(old, context=CONTEXT) == bytes(range(32))


async def test_an_old_keyring_fails_closed_and_names_what_it_lacks(
    keys: CryptographyKeyEncryption, path: Path
) -> None:
    """A copy of before the rotation was put back (T27)."""
    before = path.with_name("copy")
    shutil.copy2(path, before)
    old = await keys.generate(context=CONTEXT)
    lost = add_primary(path, at=NOW)
    new = await keys.generate(context=CONTEXT)
    os.replace(before, path)
    for _ in range(3):
        with pytest.raises(Rejected, match=f"{lost} is not in the keyring; put its line back"):
            await keys.unwrap(new.wrapped, context=CONTEXT)
    assert await keys.unwrap(old.wrapped, context=CONTEXT) == old.plaintext


def edit(path: Path) -> None:
    path.write_text(path.read_text().replace("disabled", "readable"))


async def test_a_disabled_key_can_be_made_readable_again(
    keys: CryptographyKeyEncryption, path: Path
) -> None:
    old = await keys.generate(context=CONTEXT)
    add_primary(path, at=NOW)
    disable_key(path, old.wrapped.kek_id)
    with pytest.raises(Rejected, match="is disabled in the keyring; make it readable"):
        await keys.unwrap(old.wrapped, context=CONTEXT)
    edit(path)
    assert await keys.unwrap(old.wrapped, context=CONTEXT) == old.plaintext


async def test_opening_reads_the_keyring(keys: CryptographyKeyEncryption, path: Path) -> None:
    async with keys as opened:
        assert opened is keys
    os.chmod(path, 0o640)
    with pytest.raises(ConfigurationError, match="run chmod 600"):
        await keys.__aenter__()
    os.unlink(path)
    with pytest.raises(Unavailable, match="check that it is mounted"):
        await keys.__aenter__()


async def test_health_tells_the_primary_and_no_key(
    keys: CryptographyKeyEncryption, path: Path
) -> None:
    primary = add_primary(path, at=NOW)
    assert isinstance(keys, HealthCheck)
    assert await keys.health() == f"a keyring of 2 keys, {primary} is primary"
    assert repr(keys) == "CryptographyKeyEncryption('test.keyring')"


async def test_a_failure_names_no_folder(tmp_path: Path) -> None:
    keys = CryptographyKeyEncryption.from_url(f"keyring://{tmp_path}/gone.keyring", environ={})
    uses: tuple[Callable[[], Any], ...] = (
        keys.current,
        keys.health,
        lambda: keys.generate(context=CONTEXT),
    )
    for use in uses:
        with pytest.raises(Unavailable) as failed:
            await use()
        assert (failed.value.port, failed.value.adapter) == ("key_encryption", "cryptography")
        assert str(tmp_path) not in failed.value.public_message


async def test_a_relative_name_is_of_the_folder_at_the_start(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    keys = CryptographyKeyEncryption.from_url("keyring://./test.keyring", environ={})
    monkeypatch.chdir("/")
    assert (await keys.current()).startswith("kek_")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "keyring:",
        "keyring://",
        "keyring://host/a",
        "keyring:///",
        "keyring:///folder/",
        "keyring:/a",
        "keyring:///a\nb",
        "keyring+env://",
        "keyring+env://A-B",
        "keyring+env:///A",
        "keyring+file:///a",
        "file:///a",
        "/a",
        7,
    ],
)
def test_another_url_is_refused(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="write keyring:///absolute/file"):
        CryptographyKeyEncryption.from_url(url, environ={})


def test_a_variable_that_holds_no_keyring_is_not_shown() -> None:
    """No frame of ours holds the process's variables when it fails (T23)."""
    environ = {"RING": "kek_1 hidden primary 2001-01-01T12:00:00Z"}
    with pytest.raises(ConfigurationError, match="RING: line 1: the key is no base64") as refused:
        CryptographyKeyEncryption.from_url("keyring+env://RING", environ=environ)
    inside = refused.tb.tb_next  # the first frame is this test's own
    told = traceback.TracebackException(refused.type, refused.value, inside, capture_locals=True)
    assert "hidden" not in "".join(told.format())


def test_a_variable_that_is_not_set_is_named() -> None:
    for environ in ({}, {"RING": ""}):
        with pytest.raises(ConfigurationError, match="the variable RING is not set"):
            CryptographyKeyEncryption.from_url("keyring+env://RING", environ=environ)
