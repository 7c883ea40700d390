"""Logs of events in Redis Streams."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Self

from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.adapters.redis.event_log_scripts import APPEND, END, READ
from tollkeeper.domain.errors import Unavailable
from tollkeeper.domain.event_logs import (
    DEFAULT_LIMITS,
    EventId,
    LoggedEvent,
    LogLimits,
    LogPage,
    checked_events,
    checked_log_name,
    checked_reading,
    ended_log,
    lost_events,
    read_event_id,
)
from tollkeeper.ports.clock import Clock

_PORT = "event_log"
_MILLISECOND = timedelta(milliseconds=1)
_LONGEST_BLOCK = timedelta(seconds=5)
_POLL = 0.05


class RedisEventLog:
    """Logs that all processes share which name the same Redis and namespace.

    Each log is a stream of its own, on any node of a cluster. Who waits for an event blocks in
    ``XREAD``, on connections apart from all others', and with a deadline later than the block's
    end. As many as the pool has connections wait so; more ask again every 50 ms. Use it inside
    ``async with``. A Redis that loses what it held begins its logs anew, and readers are told.
    """

    def __init__(self, connections: RedisConnections) -> None:
        self._connections = connections
        self._blocked = 0

    @classmethod
    def from_url(cls, url: str, *, clock: Clock | None = None) -> Self:
        """Make logs with connections of their own; the *clock* is not asked: Redis has one.

        Raises:
            ConfigurationError: *url* is malformed; see :class:`RedisConnections`.
        """
        return cls(RedisConnections.from_url(url, port=_PORT))

    async def __aenter__(self) -> Self:
        await self._connections.__aenter__()
        self._blocked = 0
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._connections.__aexit__(*exc_info)

    async def health(self) -> str:
        """Say how Redis does."""
        return await self._connections.health()

    async def append(
        self, log: str, events: Sequence[bytes], *, limits: LogLimits = DEFAULT_LIMITS
    ) -> tuple[LoggedEvent, ...]:
        """Append *events*, all or none; sent once, and never again where a reply is lost."""
        keys = self._keys(log)
        pieces = checked_events(events)
        arguments: list[str | bytes | int] = [_life(), limits.length, _milliseconds(limits.age)]
        arguments += pieces
        answer = await self._connections.run(
            lambda client: APPEND(client, keys, arguments), idempotent=False, key=keys[0]
        )
        if answer is None:
            raise ended_log()
        life, moment, first = answer[0].decode(), int(answer[1]), int(answer[2])
        return tuple(
            LoggedEvent(str(EventId(life, moment, number)), number, piece)
            for number, piece in enumerate(pieces, first)
        )

    async def end(self, log: str, *, limits: LogLimits = DEFAULT_LIMITS) -> None:
        """Say that nothing more comes."""
        keys = self._keys(log)
        arguments: list[str | bytes | int] = [_life(), _milliseconds(limits.age)]
        await self._connections.run(
            lambda client: END(client, keys, arguments), idempotent=True, key=keys[0]
        )

    async def read(
        self,
        log: str,
        *,
        after: str | None = None,
        limit: int = 100,
        wait: timedelta = timedelta(0),
    ) -> LogPage:
        """Return what comes after *after*; blocks no longer than *wait* and one operation."""
        keys = self._keys(log)
        checked_reading(limit=limit, wait=wait)
        place = EventId("", 0, 0) if after is None else read_event_id(after)
        loop = asyncio.get_running_loop()
        until = loop.time() + wait.total_seconds()
        arguments: list[str | bytes | int] = [place.life, place.moment, place.number, limit]
        while True:
            # What wakes a reader is only a sign: the events are read together with their state.
            answer = await self._connections.run(
                lambda client: READ(client, keys, arguments), idempotent=True, key=keys[0]
            )
            if answer[0] == b"lost":
                left_from = answer[1].decode()
                raise lost_events(None if left_from == "0-0" else read_event_id(left_from))
            if answer[0] != b"tail":
                return _page(answer)
            left = until - loop.time()
            if left <= 0:
                return LogPage()
            await self._wait(keys[0], answer[1], left)

    async def _wait(self, key: str, tail: bytes, seconds: float) -> None:
        """Wait until something may have come after *tail*, or some of *seconds* are over."""
        if self._blocked >= self._connections.url.pool_size:
            await asyncio.sleep(min(_POLL, seconds))
            return
        block = max(1, int(min(seconds, _LONGEST_BLOCK.total_seconds()) * 1000))
        self._blocked += 1
        try:
            await self._connections.run_blocking(
                lambda client: client.execute_command(
                    "XREAD", "COUNT", 1, "BLOCK", block, "STREAMS", key, tail
                ),
                longest_block=timedelta(milliseconds=block),
                key=key,
            )
        except Unavailable:
            # The reading that follows shows whether Redis is away.
            await asyncio.sleep(min(_POLL, seconds))
        finally:
            self._blocked -= 1

    def _keys(self, log: str) -> list[str]:
        key = self._connections.key
        return [key("log", part, tag=checked_log_name(log)) for part in ("events", "state")]


def _page(answer: list[Any]) -> LogPage:
    """Read the answer ``found`` or ``ended`` of the script."""
    if len(answer) == 1:
        return LogPage(ended=True)
    life = answer[1].decode()
    events = []
    for name, fields in answer[2]:
        moment, _, number = name.decode().partition("-")
        there = EventId(life, int(moment), int(number))
        events.append(LoggedEvent(str(there), there.number, fields[1]))
    return LogPage(tuple(events), answer[0] == b"ended")


def _life() -> str:
    return uuid.uuid4().hex[:12]


def _milliseconds(age: timedelta) -> int:
    return -(-age // _MILLISECOND)
