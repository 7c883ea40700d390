"""Broadcasts, each with one fault."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tollkeeper.adapters.memory.broadcast import MemoryBroadcast
from tollkeeper.adapters.wire.mailboxes import MailboxSubscription
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.ports.broadcast import BroadcastSubscription


class TellsOneOnly(MemoryBroadcast):
    async def publish(self, topic: str, data: bytes) -> None:
        there = self._subscriptions.get(topic, [])
        self._subscriptions[topic] = there[:1]
        await super().publish(topic, data)
        self._subscriptions[topic] = there


class TellsTwice(MemoryBroadcast):
    async def publish(self, topic: str, data: bytes) -> None:
        await super().publish(topic, data)
        await super().publish(topic, data)


class LosesSome(MemoryBroadcast):
    _count = 0

    async def publish(self, topic: str, data: bytes) -> None:
        self._count += 1
        if self._count % 50:
            await super().publish(topic, data)


class TellsLater(MemoryBroadcast):
    _tasks: frozenset[object] = frozenset()

    async def publish(self, topic: str, data: bytes) -> None:
        async def tell() -> None:
            await asyncio.sleep(0.002 * (1 + len(data) % 2))
            await MemoryBroadcast.publish(self, topic, data)

        self._tasks |= {asyncio.ensure_future(tell())}


class TextOnly(MemoryBroadcast):
    async def publish(self, topic: str, data: bytes) -> None:
        sound = data.decode(errors="replace").strip().encode() if isinstance(data, bytes) else data
        await super().publish(topic, sound)


class KeepsTheLast(MemoryBroadcast):
    _last: dict[str, bytes]

    async def publish(self, topic: str, data: bytes) -> None:
        await super().publish(topic, data)
        self._last = {**getattr(self, "_last", {}), topic: data}

    @asynccontextmanager
    async def subscribe(
        self, topic: str, *, backlog: int = 1000
    ) -> AsyncIterator[BroadcastSubscription]:
        async with super().subscribe(topic, backlog=backlog) as subscription:
            if topic in getattr(self, "_last", {}):
                assert isinstance(subscription, MailboxSubscription)
                subscription.deliver(self._last[topic])
            yield subscription


class WhoLeavesEndsAll(MemoryBroadcast):
    @asynccontextmanager
    async def subscribe(
        self, topic: str, *, backlog: int = 1000
    ) -> AsyncIterator[BroadcastSubscription]:
        async with super().subscribe(topic, backlog=backlog) as subscription:
            yield subscription
            self._subscriptions[topic] = [subscription]  # type: ignore[list-item]


class TopicsAreOne(MemoryBroadcast):
    async def publish(self, topic: str, data: bytes) -> None:
        await super().publish(topic, data)
        for other in list(self._subscriptions):
            if other != topic and other.casefold() == topic.casefold():
                await super().publish(other, data)


class TopicsArePatterns(MemoryBroadcast):
    async def publish(self, topic: str, data: bytes) -> None:
        await super().publish(topic, data)
        for other in list(self._subscriptions):
            if other != topic and other.endswith("*") and topic.startswith(other[:-1]):
                await super().publish(other, data)


class DropsInSilence(MemoryBroadcast):
    async def publish(self, topic: str, data: bytes) -> None:
        there = self._subscriptions.get(topic, [])
        roomy = [s for s in there if len(s._box._waiting) < s._box.backlog]
        self._subscriptions[topic] = roomy
        await super().publish(topic, data)
        self._subscriptions[topic] = there


class NoBound(MemoryBroadcast):
    @asynccontextmanager
    async def subscribe(
        self, topic: str, *, backlog: int = 1000
    ) -> AsyncIterator[BroadcastSubscription]:
        async with super().subscribe(topic, backlog=backlog) as subscription:
            assert isinstance(subscription, MailboxSubscription)
            subscription._box.backlog = 100_000
            yield subscription


class OneLessThanTheBacklog(MemoryBroadcast):
    @asynccontextmanager
    async def subscribe(
        self, topic: str, *, backlog: int = 1000
    ) -> AsyncIterator[BroadcastSubscription]:
        async with super().subscribe(topic, backlog=backlog) as subscription:
            assert isinstance(subscription, MailboxSubscription)
            subscription._box.backlog -= 1
            yield subscription


class GapsCountWhenTheyAreRead(MemoryBroadcast):
    async def publish(self, topic: str, data: bytes) -> None:
        before = {s: s.generation for s in self._subscriptions.get(topic, ())}
        await super().publish(topic, data)
        for subscription, generation in before.items():
            subscription._box.generation = generation


class CancelledReadsTakeAMessage(MemoryBroadcast):
    @asynccontextmanager
    async def subscribe(
        self, topic: str, *, backlog: int = 1000
    ) -> AsyncIterator[BroadcastSubscription]:
        async with super().subscribe(topic, backlog=backlog) as subscription:
            assert isinstance(subscription, MailboxSubscription)
            yield _Greedy(subscription)


class _Greedy(MailboxSubscription):
    def __init__(self, of: MailboxSubscription) -> None:
        self.__dict__ = of.__dict__
        self._tasks: set[object] = set()

    async def __anext__(self):  # type: ignore[no-untyped-def]
        reading = asyncio.ensure_future(super().__anext__())
        self._tasks.add(reading)
        return await asyncio.shield(reading)


class LeavesATaskBehind(MemoryBroadcast):
    @asynccontextmanager
    async def subscribe(
        self, topic: str, *, backlog: int = 1000
    ) -> AsyncIterator[BroadcastSubscription]:
        self._task = asyncio.ensure_future(asyncio.sleep(3600))
        async with super().subscribe(topic, backlog=backlog) as subscription:
            yield subscription


class TakesAnyTopic(MemoryBroadcast):
    async def publish(self, topic: str, data: bytes) -> None:
        with suppress(InvalidRequest):
            await super().publish(topic, data)


class TellsBeforeItChecks(MemoryBroadcast):
    async def publish(self, topic: str, data: bytes) -> None:
        for subscription in self._subscriptions.get(topic, ()):
            subscription.deliver(data)
        await super().publish(topic, data)


class TakesAnyBacklog(MemoryBroadcast):
    @asynccontextmanager
    async def subscribe(
        self, topic: str, *, backlog: int = 1000
    ) -> AsyncIterator[BroadcastSubscription]:
        async with super().subscribe(topic) as subscription:
            yield subscription
