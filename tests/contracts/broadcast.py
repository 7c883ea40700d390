"""The contract of :class:`tollkeeper.ports.broadcast.Broadcast`."""

import asyncio
import uuid
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.broadcasts import BroadcastGap, BroadcastMessage
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.ports.broadcast import Broadcast, BroadcastSubscription

BAD_TOPICS = ["", "line\nbreak", "nul\0", "\ud800", "n" * 256, 7, b"bytes"]
BAD_MESSAGES = ["text", b"x" * (8 * 1024 + 1), None, bytearray(b"x")]
BAD_BACKLOGS = [0, -1, 100_001, 1.0, True, None]
MOMENT = 0.05


class BroadcastContract(Contract):
    """What every broadcast promises.

    Fixtures: ``broadcast``, and ``elsewhere``: another one on the same store, such as another
    process has; the same one again where nothing is shared between processes. The suite's topics
    are its own, so that it may run against a live server.
    """

    @pytest.fixture
    def topic(self) -> str:
        """Name a topic that nobody used before."""
        return f"contract-{uuid.uuid4().hex}"

    @pytest.fixture
    def patience(self) -> timedelta:
        """Say how long to wait for what has to come before it counts as lost."""
        return timedelta(seconds=10)

    async def heard(
        self, subscription: BroadcastSubscription, most: int, patience: timedelta
    ) -> list[bytes]:
        """Read *most* messages, and no gap."""
        found = []
        async with asyncio.timeout(patience.total_seconds()):
            for _ in range(most):
                item = await anext(subscription)
                assert isinstance(item, BroadcastMessage)
                found.append(item.data)
        return found

    async def nothing_more(self, subscription: BroadcastSubscription) -> None:
        """See that nothing comes for a moment."""
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(MOMENT):
                await anext(subscription)

    async def test_all_who_subscribed_hear_a_message_once(
        self, broadcast: Broadcast, elsewhere: Broadcast, topic: str, patience: timedelta
    ) -> None:
        async with (
            broadcast.subscribe(topic) as one,
            broadcast.subscribe(topic) as two,
            elsewhere.subscribe(topic) as three,
        ):
            await broadcast.publish(topic, b"from here")
            await elsewhere.publish(topic, b"from there")
            for subscription in (one, two, three):
                assert subscription.connected
                found = await self.heard(subscription, 2, patience)
                assert sorted(found) == [b"from here", b"from there"]
                await self.nothing_more(subscription)
                assert subscription.generation == 0

    async def test_messages_of_one_publisher_come_in_order(
        self, broadcast: Broadcast, elsewhere: Broadcast, topic: str, patience: timedelta
    ) -> None:
        async with broadcast.subscribe(topic) as subscription:
            for number in range(100):
                await elsewhere.publish(topic, b"%d" % number)
            found = await self.heard(subscription, 100, patience)
            assert found == [b"%d" % number for number in range(100)]

    async def test_many_who_publish_at_once_are_all_heard(
        self, broadcast: Broadcast, elsewhere: Broadcast, topic: str, patience: timedelta
    ) -> None:
        sent = [b"%d" % number for number in range(100)]
        async with broadcast.subscribe(topic) as subscription:
            await asyncio.gather(*(elsewhere.publish(topic, data) for data in sent))
            assert sorted(await self.heard(subscription, 100, patience)) == sorted(sent)

    async def test_whoever_waits_hears_at_once(
        self, broadcast: Broadcast, elsewhere: Broadcast, topic: str, patience: timedelta
    ) -> None:
        async with broadcast.subscribe(topic) as subscription:
            waiting = asyncio.ensure_future(anext(subscription))
            await asyncio.sleep(MOMENT)
            assert not waiting.done()
            await elsewhere.publish(topic, b"x")
            async with asyncio.timeout(patience.total_seconds()):
                assert await waiting == BroadcastMessage(b"x")

    async def test_messages_may_be_any_bytes(
        self, broadcast: Broadcast, topic: str, patience: timedelta
    ) -> None:
        kinds = [b"", b"\0", b"\r\n", b"a\nb", bytes(range(256)), b"x" * 8 * 1024]
        async with broadcast.subscribe(topic) as subscription:
            for kind in kinds:
                await broadcast.publish(topic, kind)
            assert await self.heard(subscription, len(kinds), patience) == kinds

    async def test_nobody_hears_what_was_said_before(
        self, broadcast: Broadcast, elsewhere: Broadcast, topic: str, patience: timedelta
    ) -> None:
        await elsewhere.publish(topic, b"before")
        async with broadcast.subscribe(topic) as subscription:
            await elsewhere.publish(topic, b"after")
            assert await self.heard(subscription, 1, patience) == [b"after"]
        await elsewhere.publish(topic, b"between")
        async with broadcast.subscribe(topic) as subscription:
            await self.nothing_more(subscription)

    async def test_one_who_left_does_not_end_the_others(
        self, broadcast: Broadcast, elsewhere: Broadcast, topic: str, patience: timedelta
    ) -> None:
        async with broadcast.subscribe(topic) as staying:
            async with broadcast.subscribe(topic) as leaving:
                await elsewhere.publish(topic, b"1")
                assert await self.heard(leaving, 1, patience) == [b"1"]
            await elsewhere.publish(topic, b"2")
            assert await self.heard(staying, 2, patience) == [b"1", b"2"]

    async def test_topics_do_not_meet(
        self, broadcast: Broadcast, elsewhere: Broadcast, topic: str, patience: timedelta
    ) -> None:
        topics = [topic, topic + ":", topic.upper(), topic + " x", topic + "é", topic + "*"]
        topics += [topic[:-1] + "?", topic + "{", topic + "%7B"]
        async with AsyncExitStack() as stack:
            subscriptions = [
                await stack.enter_async_context(broadcast.subscribe(one)) for one in topics
            ]
            for one in topics:
                await elsewhere.publish(one, one.encode())
            for one, subscription in zip(topics, subscriptions, strict=True):
                assert await self.heard(subscription, 1, patience) == [one.encode()]
            for subscription in subscriptions:
                await self.nothing_more(subscription)

    async def test_more_than_the_backlog_becomes_a_gap_and_then_it_goes_on(
        self, broadcast: Broadcast, topic: str, patience: timedelta
    ) -> None:
        async with (
            broadcast.subscribe(topic, backlog=3) as slow,
            broadcast.subscribe(topic) as roomy,
        ):
            for number in range(4):
                await broadcast.publish(topic, b"%d" % number)
            assert len(await self.heard(roomy, 4, patience)) == 4
            assert slow.generation == 1
            assert roomy.generation == 0
            assert await anext(slow) == BroadcastGap(connected=True)
            for number in range(4, 7):
                await broadcast.publish(topic, b"%d" % number)
            assert await self.heard(slow, 3, patience) == [b"4", b"5", b"6"]
            assert slow.generation == 1
            assert slow.connected

    async def test_as_many_as_the_backlog_wait(
        self, broadcast: Broadcast, topic: str, patience: timedelta
    ) -> None:
        async with broadcast.subscribe(topic, backlog=3) as subscription:
            for number in range(3):
                await broadcast.publish(topic, b"%d" % number)
            await asyncio.sleep(MOMENT)
            assert await self.heard(subscription, 3, patience) == [b"0", b"1", b"2"]

    async def test_one_cancelled_while_waiting_loses_nothing(
        self, broadcast: Broadcast, topic: str, patience: timedelta
    ) -> None:
        async with broadcast.subscribe(topic) as subscription:
            found: list[bytes] = []
            for number in range(20):
                waiting = asyncio.ensure_future(anext(subscription))
                await asyncio.sleep(0)
                waiting.cancel()
                await broadcast.publish(topic, b"%d" % number)
                # It may have come just before; then it was heard.
                ends = await asyncio.gather(waiting, return_exceptions=True)
                found += [end.data for end in ends if isinstance(end, BroadcastMessage)]
            found += await self.heard(subscription, 20 - len(found), patience)
            assert found == [b"%d" % number for number in range(20)]

    async def test_one_cancelled_in_its_block_leaves_nothing_behind(
        self, broadcast: Broadcast, topic: str, patience: timedelta
    ) -> None:
        before = asyncio.all_tasks()

        async def listen() -> None:
            async with broadcast.subscribe(topic) as subscription:
                async for _ in subscription:
                    pass

        for turn in range(20):
            listening = [asyncio.ensure_future(listen()) for _ in range(5)]
            await asyncio.sleep(0.001 * turn)
            for one in listening:
                one.cancel()
            done, _ = await asyncio.wait(listening, timeout=patience.total_seconds())
            assert len(done) == 5
            assert all(one.cancelled() for one in done)
        await asyncio.sleep(MOMENT)
        assert asyncio.all_tasks() == before

    @pytest.mark.parametrize("bad", BAD_TOPICS, ids=ascii)
    async def test_malformed_topics_are_refused(self, broadcast: Broadcast, bad: str) -> None:
        with pytest.raises(InvalidRequest):
            await broadcast.publish(bad, b"x")
        with pytest.raises(InvalidRequest):
            async with broadcast.subscribe(bad):
                raise AssertionError

    @pytest.mark.parametrize("bad", BAD_MESSAGES, ids=lambda bad: ascii(bad)[:20])
    async def test_malformed_messages_are_refused(
        self, broadcast: Broadcast, topic: str, bad: bytes
    ) -> None:
        async with broadcast.subscribe(topic) as subscription:
            with pytest.raises(InvalidRequest):
                await broadcast.publish(topic, bad)
            await self.nothing_more(subscription)

    @pytest.mark.parametrize("bad", BAD_BACKLOGS, ids=str)
    async def test_backlogs_that_are_not_sound_are_refused(
        self, broadcast: Broadcast, topic: str, bad: int
    ) -> None:
        with pytest.raises(InvalidRequest):
            async with broadcast.subscribe(topic, backlog=bad):
                raise AssertionError
