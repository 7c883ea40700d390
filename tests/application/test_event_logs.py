"""Hosts follow logs of events: from where they were, all as they come, to the end."""

import asyncio
from datetime import timedelta

import pytest

from tollkeeper.adapters.memory.event_log import MemoryEventLog
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.application.event_logs import EventLogs
from tollkeeper.application.event_subscription import EventSubscription
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.event_logs import EventsLost, LoggedEvent, LogLimits, SlowSubscriber

pytestmark = pytest.mark.anyio
BEAT = timedelta(milliseconds=30)


@pytest.fixture
def events() -> EventLogs:
    return EventLogs(MemoryEventLog(SystemClock()))


async def follow(
    events: EventLogs, log: str, *, after: str | None = None, pace: float = 0.0
) -> list[bytes]:
    """Return all that a log has, once it has ended."""
    found = []
    async with asyncio.timeout(20), events.subscribe(log, after=after) as subscription:
        async for event in subscription:
            assert event is not None
            found.append(event.data)
            if pace:
                await asyncio.sleep(pace)
    return found


async def taken(subscription: EventSubscription, most: int) -> list[LoggedEvent]:
    """Take *most* events."""
    found: list[LoggedEvent] = []
    async with asyncio.timeout(20):
        while len(found) < most:
            event = await anext(subscription)
            if event is not None:
                found.append(event)
    return found


async def test_all_who_follow_get_all_in_order_and_stop_at_the_end(events: EventLogs) -> None:
    following = [asyncio.ensure_future(follow(events, "log")) for _ in range(20)]
    for number in range(300):
        await events.append("log", b"%d" % number)
        if number % 10 == 0:
            following.append(asyncio.ensure_future(follow(events, "log")))
            await asyncio.sleep(0)
    await events.end("log")
    following.append(asyncio.ensure_future(follow(events, "log")))
    everything = [b"%d" % number for number in range(300)]
    assert await asyncio.gather(*following) == [everything] * len(following)
    assert events.readers == 0


async def test_one_reads_for_all(events: EventLogs) -> None:
    async with (
        events.subscribe("log", heartbeat=BEAT) as one,
        events.subscribe("log", heartbeat=BEAT) as two,
    ):
        assert await anext(one) is None
        assert await anext(two) is None
        assert events.readers == 1
        [event] = await events.append("log", b"x")
        assert await taken(one, 1) == await taken(two, 1) == [event]
        async with events.subscribe("log", after=event.id, heartbeat=BEAT) as three:
            assert await anext(three) is None
            assert events.readers == 1
            [event] = await events.append("log", b"y")
            assert await taken(one, 1) == await taken(two, 1) == await taken(three, 1) == [event]
    assert events.readers == 0


async def test_following_resumes_after_any_event(events: EventLogs) -> None:
    appended = await events.append("log", *[b"%d" % n for n in range(10)])
    await events.end("log")
    for event in appended:
        rest = [later.data for later in appended[event.number :]]
        assert await follow(events, "log", after=event.id) == rest


async def test_who_joins_behind_the_reader_reads_what_lies_between(events: EventLogs) -> None:
    first, *_ = await events.append("log", *[b"%d" % n for n in range(50)])
    async with events.subscribe("log", heartbeat=BEAT) as ahead:
        assert len(await taken(ahead, 50)) == 50
        assert await anext(ahead) is None
        behind = asyncio.ensure_future(follow(events, "log", after=first.id))
        for number in range(50, 60):
            await events.append("log", b"%d" % number)
        await events.end("log")
        assert await behind == [b"%d" % n for n in range(1, 60)]


async def test_who_waits_hears_a_heartbeat(events: EventLogs) -> None:
    async with events.subscribe("log", heartbeat=BEAT) as subscription:
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert [await anext(subscription) for _ in range(3)] == [None] * 3
        assert loop.time() - began > 0.08


async def test_without_a_heartbeat_nothing_comes_until_something_does(events: EventLogs) -> None:
    async with events.subscribe("log", heartbeat=None) as subscription:
        waiting = asyncio.ensure_future(anext(subscription))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        [event] = await events.append("log", b"x")
        assert await asyncio.wait_for(waiting, 10) == event


async def test_a_slow_one_is_left_behind_and_the_others_go_on(events: EventLogs) -> None:
    async with (
        events.subscribe("log", heartbeat=BEAT, backlog=10) as slow,
        events.subscribe("log", heartbeat=BEAT, backlog=10) as fast,
    ):
        assert await anext(slow) is None
        assert await anext(fast) is None
        first = await events.append("log", b"first")
        assert await taken(slow, 1) == list(first)
        following = asyncio.ensure_future(taken(fast, 101))
        await events.append("log", *[b"x"] * 100)
        assert len(await following) == 101
        with pytest.raises(SlowSubscriber) as left:
            await anext(slow)
        assert left.value.code == "slow_subscriber"
        assert left.value.after == first[0].id
        with pytest.raises(SlowSubscriber):
            await anext(slow)
        async with events.subscribe("log", after=left.value.after) as again:
            assert [event.number for event in await taken(again, 100)] == list(range(2, 102))


async def test_a_burst_leaves_nobody_behind_who_takes_what_comes(events: EventLogs) -> None:
    following = [asyncio.ensure_future(follow(events, "log", pace=0.00001)) for _ in range(5)]
    await asyncio.sleep(0.02)
    for _ in range(3):
        await events.append("log", *[b"x"] * 1000)
    await events.end("log")
    assert [len(found) for found in await asyncio.gather(*following)] == [3000] * 5


async def test_what_was_forgotten_is_said_and_the_oldest_is_named(events: EventLogs) -> None:
    first, *_, last = await events.append(
        "log", *[b"%d" % n for n in range(10)], limits=LogLimits(length=3)
    )
    for after in (None, first.id):
        async with events.subscribe("log", after=after) as subscription:
            with pytest.raises(EventsLost) as lost:
                await anext(subscription)
    async with events.subscribe("log", after=lost.value.oldest) as subscription:
        assert [event.number for event in await taken(subscription, 3)] == [8, 9, 10]
        assert subscription.after == last.id


async def test_one_who_leaves_takes_nothing_along_and_leaves_nothing_behind(
    events: EventLogs,
) -> None:
    before = asyncio.all_tasks()
    following = [asyncio.ensure_future(follow(events, "log")) for _ in range(30)]
    for number in range(30):
        await events.append("log", b"%d" % number)
        if number % 2:
            following[number].cancel()
        await asyncio.sleep(0.001)
    await events.end("log")
    found = await asyncio.gather(*following, return_exceptions=True)
    assert found[::2] == [[b"%d" % n for n in range(30)]] * 15
    assert all(isinstance(end, asyncio.CancelledError) for end in found[1::2])
    assert events.readers == 0
    assert asyncio.all_tasks() == before


async def test_tenants_do_not_meet(events: EventLogs) -> None:
    acme, globex = events.scoped("acme"), events.scoped("globex")
    for number, (logs, name) in enumerate(
        [(acme, "log"), (globex, "log"), (events, "log"), (events, "{acme}:log")]
    ):
        await logs.append(name, b"%d" % number)
        await logs.end(name)
    assert await follow(acme, "log") == [b"0"]
    assert await follow(globex, "log") == [b"1"]
    assert await follow(events, "log") == [b"2"]
    assert await follow(events, "{acme}:log") == [b"3"]


async def test_a_page_can_be_read_without_following(events: EventLogs) -> None:
    one, two = await events.append("log", b"1", b"2")
    assert (await events.read("log", limit=1)).events == (one,)
    assert (await events.read("log", after=one.id)).events == (two,)


async def test_malformed_arguments_are_refused(events: EventLogs) -> None:
    for name in ("", "n" * 121, "line\nbreak"):
        with pytest.raises(InvalidRequest):
            await events.append(name, b"x")
    for how in (
        *({"after": "no id"}, {"after": ""}, {"heartbeat": timedelta(0)}),
        *({"backlog": 0}, {"backlog": 100_001}, {"backlog": 1.5}),
    ):
        with pytest.raises(InvalidRequest):
            async with events.subscribe("log", **how):
                raise AssertionError
    with pytest.raises(InvalidRequest):
        events.scoped("no tenant")
