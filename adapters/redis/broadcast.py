"""Broadcasts through Redis."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import anyio

from tollkeeper.adapters.redis.broadcast_channel import Channel
from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.adapters.redis.failures import is_passing, not_open, translate
from tollkeeper.adapters.wire.mailboxes import MailboxSubscription
from tollkeeper.domain.broadcasts import checked_backlog, checked_message, checked_topic
from tollkeeper.ports.broadcast import BroadcastSubscription

_PORT = "broadcast"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0


class RedisBroadcast:
    """Tells all processes which name the same Redis and namespace. Use it inside ``async with``.

    All topics go over one channel of plain publish/subscribe, and each process picks out its own:
    so one connection, apart from all others', is enough, however many subscribe, and it is either
    in force for all of them or for none. A cluster carries such messages to every node, so it is
    enough to listen at any; sharded channels would be known to Redis 7 and later alone. The
    connection is there while somebody subscribes. It is probed every second it is quiet, and made
    anew when it breaks, with growing pauses at random; each break, and each return, is a gap.
    """

    def __init__(self, connections: RedisConnections) -> None:
        self._connections = connections
        self._channel = connections.key("broadcast", "all")
        self._topics: dict[str, list[MailboxSubscription]] = {}
        self._waiting: dict[MailboxSubscription, asyncio.Future[None]] = {}
        self._in_force = False
        self._listening: asyncio.Task[None] | None = None
        self._open = False

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make one with connections of its own.

        Raises:
            ConfigurationError: *url* is malformed; see :class:`RedisConnections`.
        """
        return cls(RedisConnections.from_url(url, port=_PORT))

    async def __aenter__(self) -> Self:
        await self._connections.__aenter__()
        self._topics, self._waiting, self._in_force = {}, {}, False
        self._open = True
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._open = False
        try:
            await self._stop()
            for subscription in self._everyone():
                subscription.miss(connected=False)
        finally:
            await self._connections.__aexit__(*exc_info)

    async def health(self) -> str:
        """Say how Redis does."""
        return await self._connections.health()

    async def publish(self, topic: str, data: bytes) -> None:
        """Tell *data* to all subscribers of *topic*; sent once, and never again."""
        message = checked_topic(topic).encode() + b"\n" + checked_message(data)
        await self._connections.run(
            lambda client: client.execute_command("PUBLISH", self._channel, message),
            idempotent=False,
        )

    @asynccontextmanager
    async def subscribe(
        self, topic: str, *, backlog: int = 1000
    ) -> AsyncIterator[BroadcastSubscription]:
        """Hear *topic* during the block."""
        checked_topic(topic)
        checked_backlog(backlog)
        if not self._open:
            raise not_open(_PORT)
        self._connections.check_open()
        subscription = MailboxSubscription(backlog, connected=self._in_force)
        self._topics.setdefault(topic, []).append(subscription)
        try:
            if not subscription.connected:
                await self._begin(subscription)
            yield subscription
        finally:
            there = self._topics[topic]
            there.remove(subscription)
            if not there:
                del self._topics[topic]
            if not self._topics:
                await self._stop()

    async def _begin(self, subscription: MailboxSubscription) -> None:
        """Wait until messages come, but for the time of one operation only."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        begun = self._waiting[subscription] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._connections.timeout.total_seconds()):
                await begun
        except TimeoutError:
            return
        finally:
            del self._waiting[subscription]

    async def _stop(self) -> None:
        listening, self._listening, self._in_force = self._listening, None, False
        if listening is not None:
            listening.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([listening])

    async def _listen(self) -> None:
        """Hear everything, over one connection after another."""
        tries = 0
        # The processes spread over the nodes of a cluster.
        turn = random.randrange(1 << 16)  # noqa: S311 - it spreads callers, and guards nothing
        while True:
            channel = Channel(self._connections.url, self._channel, turn=turn)
            try:
                async with channel:
                    tries = 0
                    self._connected()
                    async for message in channel:
                        topic, _, data = message.partition(b"\n")
                        for subscription in self._topics.get(topic.decode(errors="replace"), ()):
                            subscription.deliver(data)
            except Exception as error:
                # Whatever it is: those who hear nothing must know it.
                self._lost(error)
            tries, turn = tries + 1, turn + 1
            longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**tries)
            await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - it spreads callers, and guards nothing

    def _connected(self) -> None:
        self._in_force = True
        for subscription in self._everyone():
            begun = self._waiting.get(subscription)
            if begun is None:
                subscription.miss(connected=True)
            else:
                # It begins now, and can have missed nothing.
                subscription.begin()
                if not begun.done():
                    begun.set_result(None)

    def _lost(self, error: Exception) -> None:
        if self._in_force:
            self._in_force = False
            for subscription in self._everyone():
                subscription.miss(connected=False)
        if not is_passing(error):
            # Waiting would not help: whoever begins has to know why.
            for begun in self._waiting.values():
                if not begun.done():
                    begun.set_exception(translate(error, port=_PORT, changes=False))

    def _everyone(self) -> list[MailboxSubscription]:
        return [one for there in self._topics.values() for one in there]
