"""A change of a key is told although whoever made it was cut off, or never heard that it is."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import define, field

from tests.application.test_known_keys import issued, settled, two_facades
from tollkeeper import Tollkeeper
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.domain.errors import Timeout, Unauthenticated, Unavailable

pytestmark = pytest.mark.anyio
ENDS: dict[str, Callable[..., Awaitable[object]]] = {
    "revoke": lambda tk, **names: tk.revoke_key(**names),
    "disable": lambda tk, **names: tk.disable_key(**names),
    "delete": lambda tk, **names: tk.delete_key(**names),
    "rotate": lambda tk, **names: tk.rotate_key(**names, compromised=True),
}


@define
class LateKeyStore:
    """The key store of *store*; once *late*, a change is made and its answer never comes."""

    store: MemoryStore = field(factory=MemoryStore)
    late: bool = False
    error: Exception | None = None
    """What comes in the answer's place; None if nothing does."""
    made: asyncio.Event = field(factory=asyncio.Event)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store.key_store, name)
        if name not in ("replace", "remove"):
            return found

        async def change(*args: Any, **kwargs: Any) -> Any:
            if self.late and self.error is not None and not getattr(self.error, "ambiguous", True):
                raise self.error
            answer = await found(*args, **kwargs)
            if self.late:
                self.made.set()
                if self.error is not None:
                    raise self.error
                await asyncio.sleep(60)
            return answer

        return change


async def refused_by(tk: Tollkeeper, token: Any) -> bool:
    try:
        await tk.authenticate_key(token)
    except Unauthenticated:
        return True
    return False


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("how", ["task", "scope", "lost answer"])
async def test_every_process_refuses_a_key_whose_end_was_cut_off(
    tmp_path: Path, end: str, how: str
) -> None:
    """The change is committed, and whoever asked for it never hears so (T11)."""
    keys = LateKeyStore()
    lent = {"store": keys.store, "key_store": keys, "audit_log": keys.store.audit_log}
    async with two_facades(tmp_path, **lent) as (one, two):
        key = await issued(one)
        for tk in (one, two):
            await tk.authenticate_key(key.token)
        keys.late = True
        call = ENDS[end](one, account="acme", key_id=key.key.id)
        if how == "task":
            task = asyncio.ensure_future(call)
            await keys.made.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        elif how == "scope":
            with anyio.move_on_after(0.05) as scope:
                await call
            assert scope.cancelled_caught
        else:
            keys.error = Timeout("late", port="key_store", adapter="test", ambiguous=True)
            with pytest.raises(Timeout):
                await call
        await settled()
        assert [await refused_by(tk, key.token) for tk in (one, two)] == [True, True]


async def test_who_revokes_again_tells_again(tmp_path: Path) -> None:
    """The process that revoked a key died before it told: the next one's word is good (T11)."""
    async with two_facades(tmp_path) as (one, two):
        key = await issued(one)
        for tk in (one, two):
            await tk.authenticate_key(key.token)
        store = one.get_key.key_store
        known = await store.get(account="acme", key_id=key.key.id)
        changes = one.revoke_key.key_changes
        dead = changes.mint.seal(known.revoke(at=changes.clock.now()))
        await changes.trail.record(
            lambda audit: store.replace(dead, audit=audit),
            account="acme",
            actor="host",
            action="key.revoked",
            subject=dead.id,
        )
        await one.revoke_key(account="acme", key_id=key.key.id)
        await settled()
        assert [await refused_by(tk, key.token) for tk in (one, two)] == [True, True]


async def test_what_was_certainly_not_changed_is_kept(tmp_path: Path) -> None:
    keys = LateKeyStore()
    lent = {"store": keys.store, "key_store": keys, "audit_log": keys.store.audit_log}
    async with two_facades(tmp_path, **lent) as (one, two):
        key = await issued(one)
        reads = two.authenticate_key.reads
        await two.authenticate_key(key.token)
        keys.late, keys.error = True, Unavailable("away", port="key_store", adapter="test")
        for end in ENDS.values():
            with pytest.raises(Unavailable):
                await end(one, account="acme", key_id=key.key.id)
        await settled()
        before = reads.reads
        await two.authenticate_key(key.token)
        assert reads.reads == before
