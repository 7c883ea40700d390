"""The connections of one event loop: which are in use, and which wait to be used again."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from attrs import define, field, frozen

from tollkeeper.adapters.postgres.failures import closed
from tollkeeper.domain.errors import Unavailable


@frozen
class _Waiting:
    """A connection that nobody uses, since when, and until when it may live: the loop's clock."""

    connection: "asyncpg.Connection[Any]"
    since: float
    until: float


@define(eq=False)
class FreeConnections:
    """Gives out the connection that was used last; makes one where none waits.

    asyncpg's own pool makes a task of each return, which costs more than all else that an
    operation adds to its statement. How many connections there are is bounded by whoever asks:
    there are never more than were taken at once.

    Args:
        connect: makes a connection.
        loop: the event loop of all of them.
        idle_for: after how many seconds a connection that nobody used is closed.
        life: after how many seconds any is closed, once it is free: the server's session keeps
            what it ever prepared, and a name may mean another machine by then.
    """

    connect: Callable[[], Awaitable["asyncpg.Connection[Any]"]]
    loop: asyncio.AbstractEventLoop
    idle_for: float
    life: float
    _waiting: deque[_Waiting] = field(init=False, factory=deque)
    _used: "dict[asyncpg.Connection[Any], float]" = field(init=False, factory=dict)
    _sweeper: asyncio.TimerHandle | None = field(init=False, default=None)
    _ended: bool = field(init=False, default=False)

    @property
    def idle(self) -> int:
        """How many live connections wait."""
        return sum(not each.connection.is_closed() for each in self._waiting)

    @property
    def size(self) -> int:
        """How many live connections there are."""
        return self.idle + sum(not each.is_closed() for each in self._used)

    async def take(self) -> "asyncpg.Connection[Any]":
        """Take a connection, to be given back with :meth:`give`.

        Raises:
            Unavailable: they are being closed.
            OSError, asyncpg.PostgresError, asyncpg.InterfaceError: none can be made.
        """
        self._check()
        while self._waiting:
            last = self._waiting.pop()
            if not last.connection.is_closed():
                self._used[last.connection] = last.until
                return last.connection
            # The server ended it; asyncpg still holds its statements.
            last.connection.terminate()
        # Cancelled in the middle of it, asyncpg closes what it has made so far.
        made = await self.connect()
        try:
            self._check()
        except Unavailable:
            made.terminate()
            raise
        self._used[made] = self.loop.time() + self.life
        return made

    def _check(self) -> None:
        if self._ended:
            raise closed()

    def give(self, connection: "asyncpg.Connection[Any]", *, whole: bool) -> None:
        """Give *connection* back; it is closed unless it is *whole* and still good for another."""
        until, now = self._used.pop(connection), self.loop.time()
        if not whole or now >= until or connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
            return
        self._waiting.append(_Waiting(connection, now, until))
        if self._sweeper is None and not self._ended:
            self._sweeper = self.loop.call_later(self.idle_for, self._sweep)

    def _sweep(self) -> None:
        """Close what nobody used for long, and forget what the server closed."""
        now, kept = self.loop.time(), deque[_Waiting]()
        for each in self._waiting:
            if (
                each.connection.is_closed()
                or now - each.since >= self.idle_for
                or now >= each.until
            ):
                each.connection.terminate()
            else:
                kept.append(each)
        self._waiting = kept
        # What waits longest is first, for what was used last is taken first.
        self._sweeper = (
            self.loop.call_at(kept[0].since + self.idle_for, self._sweep) if kept else None
        )

    def end(self) -> None:
        """Give out no more; what is given back waits to be closed."""
        self._ended = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    async def close(self) -> None:
        """Say farewell to the server on each connection that waits.

        Raises:
            OSError, asyncpg.PostgresError, asyncpg.InterfaceError: the server does not take it.
        """
        await asyncio.gather(*(each.connection.close() for each in self._waiting))
        self._waiting.clear()

    def terminate(self) -> None:
        """Close all at once, also those in use, without a word to the server."""
        self.end()
        for each in self._waiting:
            each.connection.terminate()
        self._waiting.clear()
        for connection in self._used:
            connection.terminate()
