"""One connection that listens to one channel of Redis."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

from attrs import evolve
from redis.exceptions import ConnectionError as ConnectionBroke

from tollkeeper.adapters.redis.clients import make_client
from tollkeeper.adapters.redis.urls import RedisUrl

_PROBE = 1.0


class Channel:
    """The messages of a channel, in an ``async for``, inside of ``async with``.

    redis-py's own subscriptions connect anew by themselves, and then nobody hears that messages
    were missed; here a connection that breaks is the end, with redis-py's error. In a cluster
    *turn* says which of the nodes that the URL names is listened to.
    """

    def __init__(self, url: RedisUrl, name: str, *, turn: int = 0) -> None:
        if url.topology == "cluster":
            url = evolve(url, topology="single", nodes=(url.nodes[turn % len(url.nodes)],))
        self._url = url
        self._name = name
        self._connection: Any = None
        self._close: Callable[[], Awaitable[None]] | None = None

    async def __aenter__(self) -> Self:
        client, self._close = make_client(self._url, most=1)
        try:
            async with asyncio.timeout(self._url.timeout):
                self._connection = await client.connection_pool.get_connection()
                await self._connection.send_command("SUBSCRIBE", self._name, check_health=False)
                # Answered with the reply to the command, before any message.
                await self._connection.read_response()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        connection, self._connection = self._connection, None
        close, self._close = self._close, None
        if connection is not None:
            await connection.disconnect(nowait=True)
        if close is not None:
            await close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Wait for the next message.

        Raises:
            RedisError: the connection broke, or did not answer a probe in time.
        """
        probed = False
        while True:
            reply = await self._connection.read_response(
                timeout=self._url.timeout if probed else _PROBE
            )
            if reply is None:
                if probed:
                    raise ConnectionBroke("no answer to a probe")
                await self._connection.send_command("PING", check_health=False)
                probed = True
            elif reply[0] == b"message":
                data: bytes = reply[2]
                return data
            else:
                probed = False
