"""What goes on beside the calls: it writes at the end what waits, and hears again after an outage.

In virtual time: nothing is waited for.
"""

import asyncio
from datetime import timedelta

import pytest
from attrs import evolve

from tests.application.upkeep_worlds import KEY, NOW, FailingBroadcast, Stores, Upkeep, now
from tests.application.virtual_time import in_virtual_time
from tollkeeper.application.refusals import TAMPERED
from tollkeeper.domain.key_news import TOPIC, change_of


@in_virtual_time
async def test_closing_writes_what_waits() -> None:
    world = Upkeep()
    async with world.open():
        world.happens()
        assert world.stores.uses == {}
    assert world.stores.uses == {KEY.id: NOW}
    (entry,) = await world.stores.entries("acme")
    assert entry.details == {"key_expired key-2": "1"}
    assert now() == 0


@in_virtual_time
async def test_closing_writes_once() -> None:
    world = Upkeep()
    async with world.open():
        world.happens()
        await asyncio.sleep(100)
    assert len(await world.stores.entries("acme")) == 1
    assert now() == 100


@pytest.mark.parametrize("second", [0.0, 9.9, 10.0, 59.9, 60.0, 60.5, 61.0])
def test_closing_writes_what_waits_at_any_time(second: float) -> None:
    @in_virtual_time
    async def close() -> None:
        world = Upkeep()
        async with world.open():
            await asyncio.sleep(second)
            world.happens()
        assert world.stores.uses == {KEY.id: NOW}
        assert len(await world.stores.entries("acme")) == 1
        assert now() <= second + 1

    close()


@in_virtual_time
async def test_uses_are_written_every_ten_seconds_and_refusals_every_minute() -> None:
    world = Upkeep()
    async with world.open():
        world.happens()
        await asyncio.sleep(9)
        assert world.stores.uses == {}
        await asyncio.sleep(2)
        assert world.stores.uses == {KEY.id: NOW}
        await asyncio.sleep(48)
        assert await world.stores.entries("acme") == ()
        await asyncio.sleep(2)
        assert len(await world.stores.entries("acme")) == 1


@in_virtual_time
async def test_a_tampered_key_is_told_at_once_and_more_of_it_after_a_second() -> None:
    world = Upkeep()
    async with world.open():
        for number in range(95):
            world.refusals.note(TAMPERED, account="acme", key_id=f"key-{number}")
            await asyncio.sleep(0.02)
        entries = await world.stores.entries("acme")
    assert entries[0].details == {"tampered key-0": "1"}
    assert len(entries) == 2
    assert len(await world.stores.entries("acme")) == 3


@in_virtual_time
async def test_a_store_that_hangs_holds_up_closing_for_five_seconds_and_no_longer() -> None:
    world = Upkeep(Stores(hangs=True))
    async with world.open():
        world.happens()
    assert now() == 5.0


@in_virtual_time
async def test_a_store_that_hung_before_holds_up_closing_no_longer_either() -> None:
    world = Upkeep(Stores(hangs=True))
    async with world.open():
        world.happens()
        await asyncio.sleep(90)  # both writes are under way, and hang
    assert now() == 95.0


@in_virtual_time
async def test_a_store_that_fails_holds_up_nothing() -> None:
    world = Upkeep(Stores(fails=True))
    async with world.open():
        world.happens()
    assert now() == 0
    assert await world.stores.entries("acme") == ()


@in_virtual_time
async def test_after_an_outage_of_the_store_all_of_it_is_written() -> None:
    world = Upkeep(Stores(fails=True))
    async with world.open():
        world.happens()
        await asyncio.sleep(200)
        world.stores.fails = False
        await asyncio.sleep(61)
        assert world.stores.uses == {KEY.id: NOW}
        (entry,) = await world.stores.entries("acme")
        assert entry.details == {"key_expired key-2": "1"}


@in_virtual_time
async def test_a_change_is_heard_and_nothing_is_known_once_it_is_closed() -> None:
    world = Upkeep()
    async with world.open():
        assert world.known.keeps
        assert world.learns()
        newer = evolve(KEY, version=KEY.version + 1)
        await world.broadcast.publish(TOPIC, change_of(KEY, newer).to_bytes())
        await asyncio.sleep(0.001)
        assert not world.knows()
        assert not world.learns()  # the old one
        assert world.learns(newer)
    assert not world.knows(newer)
    assert (world.known.keeps, world.broadcast._subscriptions) == (False, {})


@in_virtual_time
async def test_a_key_that_is_known_outlives_its_time_in_no_quiet() -> None:
    world = Upkeep()
    async with world.open():
        assert world.learns()
        await asyncio.sleep(29.9)
        assert world.knows()  # heard all the time
        await asyncio.sleep(0.2)
        assert not world.knows()


@in_virtual_time
async def test_it_listens_again_after_the_broadcast_failed() -> None:
    """While nothing can be heard nothing is known, and then it is again (T11)."""
    world = Upkeep(broadcast=FailingBroadcast(fails=True))
    async with world.open():
        for _ in range(10):
            assert not world.known.keeps
            assert not world.learns()
            await asyncio.sleep(1)
        world.broadcast.fails = False
        await asyncio.sleep(1.1)
        assert world.broadcast.subscribed == 1
        assert world.learns()
        newer = evolve(KEY, version=KEY.version + 1)
        await world.broadcast.publish(TOPIC, change_of(KEY, newer).to_bytes())
        await asyncio.sleep(0.001)
        assert not world.knows()


@in_virtual_time
async def test_a_gap_drops_everything_and_a_lost_connection_keeps_nothing() -> None:
    """Messages may have been missed (T11)."""
    world = Upkeep()
    async with world.open():
        assert world.learns()
        world.broadcast.miss(connected=True)
        await asyncio.sleep(0.001)
        assert not world.knows()
        assert world.learns()
        world.broadcast.miss(connected=False)
        for _ in range(5):
            await asyncio.sleep(0.7)
            assert not world.learns()
        world.broadcast.miss(connected=True)
        await asyncio.sleep(0.001)
        assert world.learns()


@in_virtual_time
async def test_where_nothing_is_to_be_known_nothing_is_heard() -> None:
    world = Upkeep()
    world.known.ttl = 0
    async with world.open():
        await asyncio.sleep(5)
        assert world.broadcast.subscribed == 0
        assert not world.known.keeps
        world.happens()
    assert world.stores.uses == {KEY.id: NOW}


@in_virtual_time
async def test_what_was_closed_may_be_opened_again() -> None:
    world = Upkeep()
    upkeep = world.open()
    for _ in range(2):
        async with upkeep:
            await asyncio.sleep(timedelta(minutes=2).total_seconds())
            assert world.learns()
            world.happens()
    assert len(await world.stores.entries("acme")) == 2
