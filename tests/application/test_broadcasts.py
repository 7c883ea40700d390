"""Hosts tell their processes what changed, each tenant its own."""

import asyncio

import pytest

from tollkeeper.adapters.memory.broadcast import MemoryBroadcast
from tollkeeper.application.broadcasts import Broadcasts
from tollkeeper.domain.broadcasts import BroadcastGap, BroadcastMessage
from tollkeeper.domain.errors import InvalidRequest

pytestmark = pytest.mark.anyio


@pytest.fixture
def broadcast() -> Broadcasts:
    return Broadcasts(MemoryBroadcast())


async def test_what_is_told_is_heard(broadcast: Broadcasts) -> None:
    async with broadcast.subscribe("topic") as subscription:
        await broadcast.publish("topic", b"x")
        assert await anext(subscription) == BroadcastMessage(b"x")
        assert (subscription.connected, subscription.generation) == (True, 0)


async def test_a_store_of_values_is_kept_fresh_and_flushed_at_a_gap(broadcast: Broadcasts) -> None:
    kept = {b"a": 1, b"b": 2}

    async def keep_fresh() -> None:
        async with broadcast.subscribe("values", backlog=2) as changes:
            ready.set()
            async for change in changes:
                if isinstance(change, BroadcastGap):
                    kept.clear()
                    return
                kept.pop(change.data, None)

    ready = asyncio.Event()
    keeping = asyncio.ensure_future(keep_fresh())
    await ready.wait()
    await broadcast.publish("values", b"a")
    await asyncio.sleep(0.01)
    assert kept == {b"b": 2}
    for _ in range(3):
        await broadcast.publish("values", b"other")
    await asyncio.wait_for(keeping, 10)
    assert kept == {}


async def test_tenants_do_not_meet(broadcast: Broadcasts) -> None:
    acme, globex = broadcast.scoped("acme"), broadcast.scoped("globex")
    async with (
        acme.subscribe("topic") as one,
        globex.subscribe("topic") as two,
        broadcast.subscribe("topic") as three,
        broadcast.subscribe("{acme}:topic") as four,
    ):
        await broadcast.publish("{acme}:topic", b"4")
        await broadcast.publish("topic", b"3")
        await globex.publish("topic", b"2")
        await acme.publish("topic", b"1")
        for subscription, data in ((one, b"1"), (two, b"2"), (three, b"3"), (four, b"4")):
            assert await anext(subscription) == BroadcastMessage(data)


async def test_malformed_arguments_are_refused(broadcast: Broadcasts) -> None:
    for topic in ("", "n" * 121, "line\nbreak"):
        with pytest.raises(InvalidRequest):
            await broadcast.publish(topic, b"x")
        with pytest.raises(InvalidRequest):
            broadcast.subscribe(topic)
    with pytest.raises(InvalidRequest):
        broadcast.scoped("no tenant")
