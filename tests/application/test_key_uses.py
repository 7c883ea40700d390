"""Uses of keys are noted once a minute for each, and written many at once."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from attrs import define, field

from tollkeeper.adapters.memory.key_store import MemoryKeyStore
from tollkeeper.application.key_uses import EVERY, KeyUses
from tollkeeper.contracts.samples import an_api_key, an_audit_entry
from tollkeeper.domain.errors import Unavailable

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MOST = 10_000


@define(eq=False)
class Uses:
    """Stands for a key store; remembers each write, and fails when it is told to."""

    written: list[Mapping[str, datetime]] = field(factory=list)
    away: bool = False
    gate: asyncio.Event | None = None

    async def mark_used(self, uses: Mapping[str, datetime]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise Unavailable("away", port="store", adapter="test")
        self.written.append(dict(uses))


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def uses_in(store: Uses) -> KeyUses:
    return KeyUses(store)  # type: ignore[arg-type]  # of a key store it needs this one method


def note(uses: KeyUses, key_id: str, seconds: float) -> None:
    uses.note(key_id, at=at(seconds), now=seconds)


async def test_a_use_is_noted_once_a_minute() -> None:
    store = Uses()
    uses = uses_in(store)
    for second in (0.0, 0.1, 59.9, 60.0, 60.1, 119.9, 121.0):
        note(uses, "key-1", second)
        await uses.write()
    assert store.written == [{"key-1": at(0)}, {"key-1": at(60)}, {"key-1": at(121)}]
    assert EVERY == 60


async def test_whether_a_use_is_due_is_told_without_noting_it() -> None:
    uses = uses_in(Uses())
    assert uses.is_due("key-1", 5)
    assert uses.is_due("key-1", 5)
    note(uses, "key-1", 5)
    assert [uses.is_due("key-1", now) for now in (5, 64.9, 65)] == [False, False, True]
    assert uses.is_due("key-2", 5)


async def test_the_uses_of_many_keys_are_one_write() -> None:
    store = Uses()
    uses = uses_in(store)
    for number in range(500):
        note(uses, f"key-{number}", number / 1000)
    await uses.write()
    await uses.write()
    assert store.written == [{f"key-{number}": at(number / 1000) for number in range(500)}]


async def test_nothing_to_write_asks_no_store() -> None:
    store = Uses()
    await uses_in(store).write()
    assert store.written == []


async def test_what_cannot_be_written_waits_and_newer_uses_win() -> None:
    store = Uses(away=True)
    uses = uses_in(store)
    note(uses, "key-1", 0)
    note(uses, "key-2", 1)
    await uses.write()
    note(uses, "key-1", 60)
    await uses.write()
    store.away = False
    await uses.write()
    assert store.written == [{"key-1": at(60), "key-2": at(1)}]


async def test_a_use_that_comes_during_a_write_that_fails_wins_too() -> None:
    store = Uses(away=True, gate=asyncio.Event())
    uses = uses_in(store)
    note(uses, "key-1", 0)
    writing = asyncio.ensure_future(uses.write())
    await asyncio.sleep(0)
    note(uses, "key-1", 60)
    assert store.gate is not None
    store.gate.set()
    await writing
    store.away = False
    await uses.write()
    assert store.written == [{"key-1": at(60)}]


async def test_no_more_is_kept_than_so_much_however_long_the_outage() -> None:
    store = Uses(away=True)
    uses = uses_in(store)
    for round_ in range(3):
        for number in range(MOST):
            note(uses, f"key-{round_}-{number}", round_)
        await uses.write()
    store.away = False
    await uses.write()
    (written,) = store.written
    assert len(written) == MOST
    assert set(written) == {f"key-2-{number}" for number in range(MOST)}  # the newest


async def test_keys_that_are_not_remembered_are_noted_again() -> None:
    """What is remembered is bounded; to note one use too many does no harm."""
    uses = uses_in(Uses())
    for number in range(MOST + 1):
        note(uses, f"key-{number}", 0)
    assert uses.is_due("key-0", 1)
    assert not uses.is_due("key-1", 1)


async def test_the_store_is_told_of_the_last_use() -> None:
    store = MemoryKeyStore()
    key = an_api_key("acme", at=NOW)
    await store.add(key, audit=an_audit_entry("acme", at=NOW))
    uses = KeyUses(store)
    note(uses, key.id, 30)
    note(uses, "key-that-was-deleted", 30)
    await uses.write()
    assert (await store.get(account="acme", key_id=key.id)).last_used_at == at(30)
