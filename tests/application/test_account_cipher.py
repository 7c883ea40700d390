"""A value opens where it was written and under its own data key, and nowhere else."""

import asyncio
import itertools
import os
import traceback
from typing import Any

import pytest
from attrs import evolve

from tests.application.account_ciphers import GCM, PLACE, SIV, World, key_of
from tollkeeper.application.account_cipher import AccountCipher
from tollkeeper.domain.encryption import LARGEST_PLAINTEXT
from tollkeeper.domain.errors import (
    Conflict,
    CorruptResponse,
    DomainError,
    InvalidRequest,
    NotFound,
    PortError,
    Rejected,
    TollkeeperError,
    Unsupported,
)
from tollkeeper.domain.sealed_values import Place, SealedValue
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio
TEXT = b"sk-hidden-0123456789"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def cipher(world: World) -> AccountCipher:
    return world.cipher()


async def fails(cipher: AccountCipher, sealed: bytes, place: Place = PLACE) -> TollkeeperError:
    """Check that *sealed* does not open at *place*, and return why."""
    with pytest.raises((CorruptResponse, NotFound)) as failed:
        await cipher.decrypt(sealed, place=place)
    assert failed.value.code in {
        "decryption_failed",
        "sealed_value_malformed",
        "data_key_not_found",
    }
    return failed.value


@pytest.mark.parametrize("text", [b"", b"x", TEXT, bytes(range(256)), bytes(LARGEST_PLAINTEXT)])
async def test_a_text_comes_back_as_it_was(cipher: AccountCipher, text: bytes) -> None:
    sealed = await cipher.encrypt(text, place=PLACE)
    assert await cipher.decrypt(sealed, place=PLACE) == text
    assert text[:8] not in sealed or len(text) < 8


async def test_a_secret_comes_back_as_it_was(cipher: AccountCipher) -> None:
    sealed = await cipher.encrypt(Secret("sk-Ünïcode ✓"), place=PLACE)
    assert await cipher.decrypt_text(sealed, place=PLACE) == Secret("sk-Ünïcode ✓")
    with pytest.raises(CorruptResponse, match="no text in UTF-8"):
        await cipher.decrypt_text(await cipher.encrypt(b"\xff", place=PLACE), place=PLACE)


async def test_a_value_opens_in_its_place_alone(cipher: AccountCipher) -> None:
    """All ordered pairs of (tenant, table, row, column, data key) (T19)."""
    places = [
        Place(*parts)
        for parts in itertools.product(("acme", "acm"), ("t", "te"), ("1", "e1"), ("c", "1c"))
    ]
    written = []
    for _ in range(2):
        written += [(await cipher.encrypt(TEXT, place=place), place) for place in places]
        for account in ("acme", "acm"):
            await cipher.data_keys.make(account, actor="host")
    keys = {key_of(sealed) for sealed, _ in written}
    assert len(keys) == 4
    opened = 0
    for (sealed, home), place, key in itertools.product(written, places, keys):
        value = SealedValue.parse(sealed)
        moved = evolve(value, data_key_id=key).to_bytes()
        if (home, value.data_key_id) == (place, key):
            assert await cipher.decrypt(moved, place=place) == TEXT
            opened += 1
        else:
            await fails(cipher, moved, place)
    assert opened == len(written) == 32


async def test_every_bit_that_is_flipped_is_noticed(world: World) -> None:
    """Version, algorithm, length, id, nonce, text and tag alike (T20)."""
    cipher = world.cipher(readable=(SIV,))
    sealed = await cipher.encrypt(TEXT, place=PLACE)
    for at in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[at // 8] ^= 1 << at % 8
        await fails(cipher, bytes(flipped))


async def test_every_cut_and_every_addition_is_noticed(cipher: AccountCipher) -> None:
    """At the end and at the beginning (T20)."""
    sealed = await cipher.encrypt(TEXT, place=PLACE)
    for cut in range(len(sealed)):
        await fails(cipher, sealed[:cut])
        await fails(cipher, sealed[cut + 1 :])
    for more in (b"\0", b"\1", b"\0" * 16, sealed):
        await fails(cipher, sealed + more)
        await fails(cipher, more + sealed)


async def test_another_header_is_refused(world: World) -> None:
    """Version, algorithm and data key are bound to the value (T20)."""
    cipher = world.cipher(readable=(SIV,))
    sealed = await cipher.encrypt(TEXT, place=PLACE)
    other = await cipher.data_keys.make("acme", actor="host")
    value = SealedValue.parse(sealed)
    wrong = {
        b"\x02" + sealed[1:]: "sealed_value_malformed",
        b"\x01\x03" + sealed[2:]: "sealed_value_malformed",
        evolve(value, algorithm=2).to_bytes(): "decryption_failed",
        evolve(value, data_key_id=other.id).to_bytes(): "decryption_failed",
        evolve(value, data_key_id="datakey_0").to_bytes(): "data_key_not_found",
    }
    assert [(await fails(cipher, each)).code for each in wrong] == list(wrong.values())


async def test_any_noise_is_a_typed_error(cipher: AccountCipher) -> None:
    """Bytes that were never a sealed value (T20)."""
    sealed = await cipher.encrypt(TEXT, place=PLACE)
    start = sealed[: 3 + sealed[2]]
    for size in range(120):
        await fails(cipher, os.urandom(size))
        await fails(cipher, start + os.urandom(size))


async def test_one_text_never_gives_the_same_bytes(cipher: AccountCipher) -> None:
    sealed = {await cipher.encrypt(TEXT, place=PLACE) for _ in range(500)}
    assert len(sealed) == 500


async def test_a_changed_cipher_reads_what_the_former_wrote(world: World) -> None:
    old = await world.cipher(cipher=GCM).encrypt(TEXT, place=PLACE)
    both = world.cipher(cipher=SIV, readable=(GCM,))
    new = await both.encrypt(TEXT, place=PLACE)
    assert [SealedValue.parse(each).algorithm for each in (old, new)] == [1, 2]
    assert [key.algorithm for key in await world.data_keys()] == [1, 2]
    for sealed in (old, new):
        assert await both.decrypt(sealed, place=PLACE) == TEXT
    with pytest.raises(Unsupported, match="algorithm 1") as refused:
        await world.cipher(cipher=SIV).decrypt(old, place=PLACE)
    assert refused.value.code == "cipher_not_here"


async def test_another_environment_opens_nothing(world: World) -> None:
    sealed = await world.cipher(environment="live").encrypt(TEXT, place=PLACE)
    await fails(world.cipher(environment="test"), sealed)
    await fails(world.cipher(environment="live", purpose="other"), sealed)
    assert await world.cipher(environment="live").decrypt(sealed, place=PLACE) == TEXT


async def test_a_key_that_unwraps_to_another_is_refused(world: World) -> None:
    """The same account's keys, exchanged in the store: both unwrap, neither is the one it says."""
    cipher = world.cipher()
    sealed = await cipher.encrypt(TEXT, place=PLACE)
    await cipher.data_keys.make("acme", actor="host")
    one, other = await world.data_keys()
    world.put(evolve(one, wrapped=other.wrapped))
    with pytest.raises(CorruptResponse) as failed:
        await world.cipher().decrypt(sealed, place=PLACE)
    assert failed.value.code == "data_key_mismatch"
    world.put(evolve(one, commitment=other.commitment))
    with pytest.raises(CorruptResponse) as failed:
        await world.cipher().decrypt(sealed, place=PLACE)
    assert failed.value.code == "data_key_mismatch"
    world.put(one)
    assert await world.cipher().decrypt(sealed, place=PLACE) == TEXT


async def test_a_key_of_another_account_is_refused(world: World) -> None:
    """Its wrapped bytes, copied over within the store: they do not unwrap for this account."""
    cipher = world.cipher()
    sealed = await cipher.encrypt(TEXT, place=PLACE)
    await cipher.data_keys.make("other", actor="host")
    (one,), (other,) = await world.data_keys(), await world.data_keys("other")
    world.put(evolve(one, wrapped=other.wrapped, commitment=other.commitment))
    assert (await fails(world.cipher(), sealed)).code == "decryption_failed"


async def test_a_destroyed_key_reads_nothing_for_ever(world: World, cipher: AccountCipher) -> None:
    sealed = await cipher.encrypt(TEXT, place=PLACE)
    (key,) = await world.data_keys()
    world.put(key.destroy())
    cipher.forget("acme")
    for each in (cipher, world.cipher()):
        for _ in range(2):
            with pytest.raises(Conflict) as refused:
                await each.decrypt(sealed, place=PLACE)
            assert refused.value.code == "data_key_destroyed"
    again = await cipher.encrypt(TEXT, place=PLACE)
    assert key_of(again) != key.id
    assert await cipher.decrypt(again, place=PLACE) == TEXT


async def test_a_rotation_of_the_key_encryption_key_loses_nothing(world: World) -> None:
    sealed = await world.cipher().encrypt(TEXT, place=PLACE)
    world.keeper.ring = world.keeper.ring.with_new_primary(at=world.clock.now())
    (key,) = await world.data_keys()
    context = {"tenant": "acme", "purpose": "data", "env": "test"}
    rewrapped = key.rewrap(await world.keeper.rewrap(key.wrapped, context=context))
    assert await world.cipher().decrypt(sealed, place=PLACE) == TEXT
    world.put(rewrapped)
    world.keeper.ring = world.keeper.ring.with_disabled(key.wrapped.kek_id)
    assert await world.cipher().decrypt(sealed, place=PLACE) == TEXT
    world.put(key)
    with pytest.raises(Rejected) as refused:
        await world.cipher().decrypt(sealed, place=PLACE)
    assert refused.value.code == "kek_unknown"


async def test_two_processes_read_each_other(world: World) -> None:
    ciphers = [world.cipher() for _ in range(5)]
    written = await asyncio.gather(*(each.encrypt(TEXT, place=PLACE) for each in ciphers))
    for sealed, reader in itertools.product(written, ciphers):
        assert await reader.decrypt(sealed, place=PLACE) == TEXT
    primaries = [key for key in await world.data_keys() if key.state == "primary"]
    assert len(primaries) == 1


@pytest.mark.parametrize("odd", [None, "text", 7, bytearray(3), Secret("\ud83d"), b"x" * (1 << 21)])
async def test_what_is_no_text_is_refused(world: World, cipher: AccountCipher, odd: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await cipher.encrypt(odd, place=PLACE)
    assert refused.value.code == "invalid_plaintext"
    assert await world.data_keys() == ()


@pytest.mark.parametrize("odd", [None, "acme", ("acme", "t", "r", "c")])
async def test_what_is_no_place_is_refused(cipher: AccountCipher, odd: Any) -> None:
    sealed = await cipher.encrypt(TEXT, place=PLACE)
    for use in (cipher.encrypt(TEXT, place=odd), cipher.decrypt(sealed, place=odd)):
        with pytest.raises(InvalidRequest) as refused:
            await use
        assert refused.value.code == "invalid_place"
    with pytest.raises(InvalidRequest, match="a sealed value is bytes"):
        await cipher.decrypt("text", place=PLACE)  # type: ignore[arg-type] # the fault


async def test_no_error_shows_a_text_or_a_key(world: World, cipher: AccountCipher) -> None:
    """A canary through each way to fail, with the locals of each frame (T23)."""
    canary = b"hidden-hidden-hidden"
    sealed = await cipher.encrypt(canary, place=PLACE)
    (key,) = await world.data_keys()
    context = {"tenant": "acme", "purpose": "data", "env": "test"}
    plain = await world.keeper.unwrap(key.wrapped, context=context)
    told = []

    async def fail(cipher: AccountCipher, text: Any, sealed: bytes, place: Any = PLACE) -> None:
        use = cipher.encrypt(text, place=place) if text else cipher.decrypt(sealed, place=place)
        with pytest.raises((DomainError, PortError)) as failed:
            await use
        inside = failed.tb.tb_next  # the first frame is this test's own
        told.append(
            traceback.TracebackException(failed.type, failed.value, inside, capture_locals=True)
        )

    await fail(cipher, canary * LARGEST_PLAINTEXT, b"")
    await fail(cipher, canary, b"", place="x")
    await fail(cipher, Secret("hidden\ud83d"), b"")
    await fail(cipher, None, sealed + b"x")
    await fail(cipher, None, sealed, Place("acme", "x", "x", "x"))
    world.put(evolve(key, commitment=bytes(16)))
    await fail(world.cipher(), None, sealed)
    await fail(world.cipher(), canary, b"")
    world.keeper.down = True
    await fail(world.cipher(), canary, b"")
    await fail(world.cipher(), None, sealed)
    shown = "".join(line for each in told for line in each.format()) + f"{cipher!r} {cipher}"
    assert len(told) == 9
    assert "hidden" not in shown
    assert repr(plain)[2:-1] not in shown
    assert plain.hex() not in shown
