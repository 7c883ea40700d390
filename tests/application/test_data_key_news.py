"""A data key that was destroyed is of no use to any process that can hear of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.account_ciphers import PLACE, World, key_of
from tests.application.credential_worlds import keyring_in
from tests.application.upkeep_worlds import FailingBroadcast
from tests.application.virtual_time import in_virtual_time
from tests.application.world import settings_in
from tollkeeper import Tollkeeper, open_tollkeeper
from tollkeeper.adapters.memory.broadcast import MemoryBroadcast
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.application.account_cipher import AccountCipher
from tollkeeper.application.data_key_news import DataKeyNews
from tollkeeper.domain.broadcasts import checked_message, checked_topic
from tollkeeper.domain.data_key_news import TOPIC, account_message, read_account
from tollkeeper.domain.errors import Conflict, Unavailable
from tollkeeper.domain.sealed_values import Place

TEXT = b"sk-hidden-0123456789"
THEIRS = Place("other", "credentials", "credential_2", "secret")


@asynccontextmanager
async def two_facades(
    folder: Path, broadcast: MemoryBroadcast, **more: Any
) -> AsyncIterator[tuple[Tollkeeper, Tollkeeper]]:
    """Open two facades that share a store, a keyring and *broadcast*."""
    shared = {"store": MemoryStore(), "broadcast": broadcast, **more}
    settings = settings_in(folder, key_encryption=f"keyring://{keyring_in(folder)}")
    async with (
        open_tollkeeper(settings, **shared) as one,
        open_tollkeeper(settings, **shared) as two,
    ):
        yield one, two


def cipher_of(tk: Tollkeeper) -> AccountCipher:
    return tk.credentials.required_cipher()


async def is_closed(cipher: AccountCipher, sealed: bytes) -> bool:
    """Whether *sealed*, whose data key was destroyed, opens no more."""
    try:
        assert await cipher.decrypt(sealed, place=PLACE) == TEXT
    except Conflict as error:
        return error.code == "data_key_destroyed"
    return False


async def settled() -> None:
    """Let every task take a few turns."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.anyio
async def test_a_forgotten_account_is_forgotten_by_every_process(tmp_path: Path) -> None:
    """The other one reads nothing more, though it had the data key open (T11)."""
    async with two_facades(tmp_path, MemoryBroadcast()) as (one, two):
        sealed = await cipher_of(one).encrypt(TEXT, place=PLACE)
        theirs = await cipher_of(one).encrypt(TEXT, place=THEIRS)
        for tk in (one, two):
            assert not await is_closed(cipher_of(tk), sealed)
            await cipher_of(tk).decrypt(theirs, place=THEIRS)
        await one.forget_account(account="acme")
        assert await is_closed(cipher_of(one), sealed)
        await settled()
        assert cipher_of(two).data_keys.opened("acme", key_of(sealed)) is None
        assert cipher_of(two).data_keys.opened("other", key_of(theirs)) is not None
        assert await is_closed(cipher_of(two), sealed)
        new = await cipher_of(two).encrypt(TEXT, place=PLACE)
        assert key_of(new) != key_of(sealed)
        assert await cipher_of(one).decrypt(new, place=PLACE) == TEXT


@pytest.mark.anyio
async def test_after_a_rotation_every_process_encrypts_with_the_new_data_key(
    tmp_path: Path,
) -> None:
    async with two_facades(tmp_path, MemoryBroadcast()) as (one, two):
        old = await cipher_of(two).encrypt(TEXT, place=PLACE)
        assert not await is_closed(cipher_of(two), old)
        report = await one.rotate_encryption(new_data_keys=True)
        assert (report.replaced, report.destroyed) == (1, 1)
        await settled()
        assert await is_closed(cipher_of(two), old)
        new = await cipher_of(two).encrypt(TEXT, place=PLACE)
        assert key_of(new) != key_of(old)
        assert await cipher_of(one).decrypt(new, place=PLACE) == TEXT


@pytest.mark.anyio
async def test_without_news_it_closes_when_its_time_is_over(tmp_path: Path) -> None:
    """With the broadcast cut without notice, the hard time to live holds (T11)."""

    class Deaf(MemoryBroadcast):
        async def publish(self, topic: str, data: bytes) -> None:
            """Lose it."""

    clock = MemoryClock()
    async with two_facades(tmp_path, Deaf(), clock=clock) as (one, two):
        sealed = await cipher_of(two).encrypt(TEXT, place=PLACE)
        await one.forget_account(account="acme")
        await settled()
        assert not await is_closed(cipher_of(two), sealed)  # it cannot know
        clock.advance(timedelta(minutes=5))
        assert await is_closed(cipher_of(two), sealed)


@pytest.mark.anyio
async def test_a_broadcast_that_is_away_fails_no_change(tmp_path: Path) -> None:
    class Away(MemoryBroadcast):
        async def publish(self, topic: str, data: bytes) -> None:
            raise Unavailable("away", port="broadcast", adapter="test", ambiguous=True)

    async with two_facades(tmp_path, Away()) as (one, _):
        sealed = await cipher_of(one).encrypt(TEXT, place=PLACE)
        assert await one.forget_account(account="acme") == 0
        assert await is_closed(cipher_of(one), sealed)
        assert one.forget_account.news.untold == 1


@pytest.mark.anyio
@pytest.mark.parametrize("connected", [True, False])
async def test_a_gap_closes_all_data_keys(tmp_path: Path, *, connected: bool) -> None:
    """Whoever may have missed something asks anew for everything (T11)."""

    class Lossy(FailingBroadcast):
        async def publish(self, topic: str, data: bytes) -> None:
            """Lose it; a gap comes later."""

    broadcast = Lossy()
    async with two_facades(tmp_path, broadcast) as (one, two):
        sealed = await cipher_of(two).encrypt(TEXT, place=PLACE)
        await cipher_of(two).encrypt(TEXT, place=THEIRS)
        await one.forget_account(account="acme")
        await settled()
        assert not await is_closed(cipher_of(two), sealed)
        assert len(cipher_of(two).data_keys) == 2
        broadcast.miss(connected=connected)
        await settled()
        assert len(cipher_of(two).data_keys) == 0
        assert await is_closed(cipher_of(two), sealed)


@pytest.mark.anyio
async def test_a_message_that_is_none_of_ours_closes_all_data_keys(tmp_path: Path) -> None:
    """A newer Tollkeeper may say what this one does not know."""
    broadcast = MemoryBroadcast()
    async with two_facades(tmp_path, broadcast) as (one, _):
        for message in (b'["acme", 2]', b"", b"\xff", b"[" * 8000, b'"two words"'):
            await cipher_of(one).encrypt(TEXT, place=PLACE)
            assert len(cipher_of(one).data_keys) == 1
            await broadcast.publish(TOPIC, message)
            await settled()
            assert len(cipher_of(one).data_keys) == 0


@pytest.mark.anyio
async def test_without_key_encryption_nothing_is_heard_and_the_change_is_told(
    tmp_path: Path,
) -> None:
    """So it is where an operator's process, which has no keys, forgets an account."""
    broadcast, store = FailingBroadcast(), MemoryStore()
    lent: dict[str, Any] = {"store": store, "broadcast": broadcast}
    with_keys = settings_in(tmp_path, key_encryption=f"keyring://{keyring_in(tmp_path)}")
    async with open_tollkeeper(settings_in(tmp_path), **lent) as one:
        assert TOPIC not in broadcast._subscriptions
        async with open_tollkeeper(with_keys, **lent) as two:
            assert len(broadcast._subscriptions[TOPIC]) == 1
            sealed = await cipher_of(two).encrypt(TEXT, place=PLACE)
            await one.forget_account(account="acme")
            await settled()
            assert await is_closed(cipher_of(two), sealed)
        assert TOPIC not in broadcast._subscriptions


@in_virtual_time
async def test_it_listens_again_after_the_broadcast_failed() -> None:
    """What was open while nothing could be heard is not trusted (T11)."""
    world, broadcast = World(), FailingBroadcast(fails=True)
    cipher = world.cipher()
    async with DataKeyNews(cipher.data_keys, broadcast):
        sealed = await cipher.encrypt(TEXT, place=PLACE)
        (key,) = await world.data_keys()
        world.put(key.destroy())
        await asyncio.sleep(10)
        assert not await is_closed(cipher, sealed)
        broadcast.fails = False
        await asyncio.sleep(1.1)
        assert broadcast.subscribed == 1
        assert await is_closed(cipher, sealed)
        again = await cipher.encrypt(TEXT, place=PLACE)
        assert cipher.data_keys.opened("acme", key_of(again)) is not None
        await DataKeyNews(None, broadcast).tell("acme")
        await settled()
        assert cipher.data_keys.opened("acme", key_of(again)) is None


@in_virtual_time
async def test_a_closed_facade_holds_no_open_data_key() -> None:
    world, broadcast = World(), FailingBroadcast()
    cipher = world.cipher()
    async with DataKeyNews(cipher.data_keys, broadcast):
        await cipher.encrypt(TEXT, place=PLACE)
        assert len(cipher.data_keys) == 1
    assert len(cipher.data_keys) == 0
    assert broadcast._subscriptions == {}


@in_virtual_time
async def test_what_was_being_opened_when_a_gap_came_is_not_kept() -> None:
    """A fill that began before the gap must not bring the key back (T12)."""
    world, broadcast = World(), FailingBroadcast()
    cipher = world.cipher()
    sealed = await world.cipher().encrypt(TEXT, place=PLACE)
    async with DataKeyNews(cipher.data_keys, broadcast):
        world.keeper.gate = asyncio.Event()
        reading = asyncio.ensure_future(cipher.decrypt(sealed, place=PLACE))
        await settled()
        (key,) = await world.data_keys()
        world.put(key.destroy())
        broadcast.miss(connected=True)
        await settled()
        world.keeper.gate.set()
        assert await reading == TEXT
        assert len(cipher.data_keys) == 0
        assert await is_closed(cipher, sealed)


def test_a_message_is_read_as_it_is_written() -> None:
    for account in ("acme", "a" * 128, "A.b_c:d@e-f"):
        assert read_account(checked_message(account_message(account))) == account
    checked_topic(TOPIC)
    for odd in (b"", b"null", b"5", b'""', b'"-a"', b'["acme"]', b'{"acme": 1}', b"\xff", b"acme"):
        assert read_account(odd) is None
