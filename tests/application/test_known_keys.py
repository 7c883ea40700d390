"""What a process knows of keys never outlives what it may be trusted for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.key_worlds import WatchedKeyStore
from tests.application.world import PEPPER, open_world, settings_in
from tollkeeper import IssuedKey, Tollkeeper, open_tollkeeper
from tollkeeper.adapters.memory.broadcast import MemoryBroadcast
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.domain.errors import Unauthenticated, Unavailable

pytestmark = pytest.mark.anyio
SCOPES = {"chat:complete"}
SECOND = timedelta(seconds=1)
KNOWN: dict[str, Any] = {"key_cache_ttl": 30 * SECOND, "key_pepper": PEPPER}


@asynccontextmanager
async def two_facades(folder: Path, **more: Any) -> AsyncIterator[tuple[Tollkeeper, Tollkeeper]]:
    """Open two facades that share a store and a broadcast, each with its own memory of keys."""
    shared = {"store": MemoryStore(), "broadcast": MemoryBroadcast(), **more}
    settings = settings_in(folder, **KNOWN)
    async with (
        open_tollkeeper(settings, **shared) as one,
        open_tollkeeper(settings, **shared) as two,
    ):
        yield one, two


async def issued(tk: Tollkeeper, **more: Any) -> IssuedKey:
    return await tk.issue_key(account="acme", scopes=SCOPES, **more)


async def settled() -> None:
    """Let every task take a few turns."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_key_seen_lately_is_read_once_and_checked_without_waiting(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        key = await issued(world.tk)
        for _ in range(3):
            await world.tk.authenticate_key(key.token)
        assert world.tk.authenticate_key.reads.reads == 1
        # No await that suspends on the way: the coroutine ends in its first step.
        with pytest.raises(StopIteration) as ended:
            world.tk.authenticate_key(key.token).send(None)
        assert ended.value.value.key_id == key.key.id


async def test_revoked_elsewhere_it_is_refused_as_soon_as_that_is_told(tmp_path: Path) -> None:
    """An idle process refuses at first use (T11)."""
    async with two_facades(tmp_path) as (one, two):
        key = await issued(one)
        await two.authenticate_key(key.token)
        await one.revoke_key(account="acme", key_id=key.key.id)
        await settled()
        reads = two.authenticate_key.reads.reads
        with pytest.raises(Unauthenticated) as refused:
            await two.authenticate_key(key.token)
        assert refused.value.code == "key_revoked"
        assert two.authenticate_key.reads.reads == reads + 1


@pytest.mark.parametrize("change", ["disable", "update", "rotate", "delete", "enable"])
async def test_every_change_is_heard(tmp_path: Path, change: str) -> None:
    async with two_facades(tmp_path) as (one, two):
        key = await issued(one)
        names: dict[str, Any] = {"account": "acme", "key_id": key.key.id}
        if change == "enable":
            await one.disable_key(**names)
            with pytest.raises(Unauthenticated):
                await two.authenticate_key(key.token)
            await one.enable_key(**names)
            await settled()
            assert (await two.authenticate_key(key.token)).key_id == key.key.id
            return
        assert (await two.authenticate_key(key.token)).scopes == SCOPES
        if change == "update":
            await one.update_key(**names, scopes={"mail:send"})
            await settled()
            assert (await two.authenticate_key(key.token)).scopes == {"mail:send"}
            return
        if change == "disable":
            await one.disable_key(**names)
        elif change == "rotate":
            await one.rotate_key(**names, compromised=True)
        else:
            await one.delete_key(**names)
        await settled()
        with pytest.raises(Unauthenticated):
            await two.authenticate_key(key.token)


async def test_without_news_it_is_refused_after_its_time(tmp_path: Path) -> None:
    """With the broadcast cut without notice, the hard time to live holds (T11)."""
    clock, store = MemoryClock(), MemoryStore()
    settings = settings_in(tmp_path, **KNOWN)
    async with (
        open_tollkeeper(settings, store=store, clock=clock) as one,
        open_tollkeeper(settings, store=store, clock=clock) as two,  # a broadcast of its own
    ):
        key = await issued(one)
        await two.authenticate_key(key.token)
        await one.revoke_key(account="acme", key_id=key.key.id)
        await two.authenticate_key(key.token)  # it cannot know
        clock.advance(30 * SECOND)
        with pytest.raises(Unauthenticated):
            await two.authenticate_key(key.token)


async def test_use_does_not_lengthen_the_time(tmp_path: Path) -> None:
    clock = MemoryClock()
    async with open_world(tmp_path, clock=clock) as world:
        key = await issued(world.tk)
        for _ in range(4):
            await world.tk.authenticate_key(key.token)
            clock.advance(10 * SECOND)
        assert world.tk.authenticate_key.reads.reads == 2


async def test_while_no_news_are_heard_each_call_reads_the_store(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        key, auth = await issued(world.tk), world.tk.authenticate_key
        await auth(key.token)
        auth.reads.known.heard(connected=False)
        for _ in range(3):
            await auth(key.token)
        assert auth.reads.reads == 4
        assert len(auth.reads.known) == 0


async def test_a_loop_that_stood_still_trusts_nothing(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        key, auth = await issued(world.tk), world.tk.authenticate_key
        await auth(key.token)
        now = auth.reads.known.tick()
        auth.reads.known.tick = lambda: now + 2.5  # the process was stopped for so long
        await auth(key.token)
        assert auth.reads.reads == 2


async def test_hearing_again_after_a_stall_does_not_revive_what_was_known(tmp_path: Path) -> None:
    """The sign of life comes before the first call, and before what was told meanwhile."""
    async with open_world(tmp_path) as world:
        key, auth = await issued(world.tk), world.tk.authenticate_key
        await auth(key.token)
        now = auth.reads.known.tick()
        auth.reads.known.tick = lambda: now + 2.5
        auth.reads.known.heard(connected=True)
        await auth(key.token)
        assert auth.reads.reads == 2
        await auth(key.token)  # it is known again
        assert auth.reads.reads == 2


async def test_a_read_under_way_when_the_key_is_revoked_is_not_kept(tmp_path: Path) -> None:
    """The answer is there, the key is revoked, the answer arrives: nothing of it stays (T12)."""
    store = MemoryStore()
    watched = WatchedKeyStore(store.key_store)
    settings = settings_in(tmp_path, **KNOWN)
    async with open_tollkeeper(settings, store=store, key_store=watched) as tk:
        key = await issued(tk)
        watched.after = asyncio.Event()
        slow = asyncio.ensure_future(tk.authenticate_key(key.token))
        await watched.answered.wait()
        await tk.revoke_key(account="acme", key_id=key.key.id)
        fast = asyncio.ensure_future(tk.authenticate_key(key.token))
        await settled()
        watched.after.set()
        await slow  # it began before the key was revoked
        with pytest.raises(Unauthenticated):
            await fast  # it did not join the read that began before
        with pytest.raises(Unauthenticated):
            await tk.authenticate_key(key.token)
        known = tk.authenticate_key.reads.known.find(
            key.key.secrets[0].kid, now=tk.authenticate_key.clock.monotonic()
        )
        assert known is None or known.key.revoked_at is not None


async def test_an_older_record_does_not_come_back(tmp_path: Path) -> None:
    """A reader that is behind cannot bring back what was told to be over (T12)."""
    store = MemoryStore()
    watched = WatchedKeyStore(store.key_store)
    async with open_tollkeeper(
        settings_in(tmp_path, **KNOWN), store=store, key_store=watched
    ) as tk:
        key = await issued(tk)
        old = await store.key_store.find(key.key.secrets[0].kid)
        await tk.revoke_key(account="acme", key_id=key.key.id)
        reads = tk.authenticate_key.reads

        class Behind:
            async def find(self, kid: str) -> Any:
                return old

        reads.key_store = Behind()  # type: ignore[assignment]  # a replica that lags
        await tk.authenticate_key(key.token)
        assert len(reads.known) == 0


async def test_expiry_is_judged_at_every_call(tmp_path: Path) -> None:
    """The clock crosses the end between two calls; set back, it revives nothing (T13)."""
    clock = MemoryClock()
    async with open_world(tmp_path, clock=clock) as world:
        key = await issued(world.tk, expires_in=10 * SECOND)
        await world.tk.authenticate_key(key.token)
        clock.advance(10 * SECOND)
        for step in (timedelta(0), -5 * SECOND):
            clock.advance(step)
            with pytest.raises(Unauthenticated) as refused:
                await world.tk.authenticate_key(key.token)
            assert refused.value.code == "key_expired"
        assert world.tk.authenticate_key.reads.reads == 1


async def test_a_key_that_has_not_begun_is_judged_at_every_call(tmp_path: Path) -> None:
    """Also one without an end, at whose times nobody looks once it has begun."""
    clock, store = MemoryClock(), MemoryStore()
    settings = settings_in(tmp_path, **KNOWN)
    async with open_tollkeeper(settings, store=store, clock=clock) as tk:
        key = await issued(tk)
        clock.advance(-SECOND)  # as seen by a machine whose clock is behind
        for _ in range(2):
            with pytest.raises(Unauthenticated):
                await tk.authenticate_key(key.token)
        clock.advance(SECOND)
        assert (await tk.authenticate_key(key.token)).key_id == key.key.id
        assert tk.authenticate_key.reads.reads == 1


async def test_the_end_of_an_overlap_is_judged_at_every_call(tmp_path: Path) -> None:
    clock = MemoryClock()
    async with open_world(tmp_path, clock=clock) as world:
        key = await issued(world.tk)
        await world.tk.rotate_key(account="acme", key_id=key.key.id, overlap=10 * SECOND)
        await world.tk.authenticate_key(key.token)
        clock.advance(10 * SECOND)
        with pytest.raises(Unauthenticated) as refused:
            await world.tk.authenticate_key(key.token)
        assert refused.value.code == "key_rotated"


async def test_five_hundred_who_ask_at_once_make_one_read(tmp_path: Path) -> None:
    """One read for all, also if the first of them leaves (T15)."""
    store = MemoryStore()
    watched = WatchedKeyStore(store.key_store, after=asyncio.Event())
    settings = settings_in(tmp_path, **KNOWN)
    async with open_tollkeeper(settings, store=store, key_store=watched) as tk:
        key = await issued(tk)
        calls = [asyncio.ensure_future(tk.authenticate_key(key.token)) for _ in range(500)]
        await settled()
        calls[0].cancel()
        await settled()
        assert watched.after is not None
        watched.after.set()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError)
        assert {getattr(each, "key_id", each) for each in answers[1:]} == {key.key.id}
        assert watched.finds == 1


async def test_an_outage_is_not_remembered_as_unknown(tmp_path: Path) -> None:
    """A store that fails says nothing about the key (T15)."""
    store = MemoryStore()
    watched = WatchedKeyStore(store.key_store)
    settings = settings_in(tmp_path, **KNOWN)
    async with open_tollkeeper(settings, store=store, key_store=watched) as tk:
        key = await issued(tk)
        watched.error = Unavailable("away", port="store", adapter="memory")
        calls = [tk.authenticate_key(key.token) for _ in range(50)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, Unavailable) for each in answers)
        watched.error = None
        assert (await tk.authenticate_key(key.token)).key_id == key.key.id


async def test_a_key_made_after_it_was_looked_for_works_at_once(tmp_path: Path) -> None:
    """A kid that was not there is there as soon as that is told (T14)."""
    async with two_facades(tmp_path) as (one, two):
        key = await issued(one)
        kid = key.key.secrets[0].kid
        known = two.authenticate_key.reads.known
        known.keep_absent(kid, known.ticket(), now=two.authenticate_key.clock.monotonic())
        with pytest.raises(Unauthenticated):
            await two.authenticate_key(key.token)
        await one.update_key(account="acme", key_id=key.key.id, name="told")
        await settled()
        assert (await two.authenticate_key(key.token)).key_id == key.key.id
