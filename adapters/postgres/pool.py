"""An open pool of connections: each operation's deadline, its tries, and the circuit breaker."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import asyncpg
from attrs import define, field

from tollkeeper.adapters.postgres.failures import (
    exhausted,
    is_over,
    is_passing,
    is_trouble,
    left_alone,
    other_loop,
    too_late,
    translate,
)
from tollkeeper.adapters.postgres.free_connections import FreeConnections
from tollkeeper.domain.circuit_breaker import BreakerPolicy, CircuitBreaker
from tollkeeper.domain.errors import PortError, TollkeeperError

T = TypeVar("T")
_RETRIES = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.2
_BREAKER = BreakerPolicy(failures=5, pause=1.0)


@define(eq=False)
class Step:
    """How far an operation came: what an error means depends on it."""

    sent: bool = False
    """Whether this try has asked the server for something that it may have done."""
    doubtful: bool = False
    """Whether a try before this one ended so that nobody knows if it was done."""
    waiting: bool = True
    """Whether no connection was free so far."""
    began: float = 0.0
    """When one was."""


Work = Callable[["asyncpg.Connection[Any]", Step], Awaitable[T]]
"""Asks the server on the connection that it is given, and notes in the step what it sends."""


@define(eq=False)
class OpenPool:
    """The connections of one event loop, at most *size*, and how operations run on them.

    A caller who is cancelled, or whose time is up, while the server works leaves a connection in
    a state that nobody knows; it is closed, and never answers another. The server's own limit ends
    what still runs there.
    """

    loop: asyncio.AbstractEventLoop
    connections: FreeConnections
    size: int
    timeout: float
    """How long an operation may take, in seconds, from the call to the answer."""
    _free: asyncio.Semaphore = field(init=False)
    _breaker: CircuitBreaker = field(init=False, factory=lambda: CircuitBreaker(_BREAKER))

    def __attrs_post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.size)

    async def run(self, work: Work[T], *, idempotent: bool) -> T:
        """Do *work* before the deadline, on a connection that is its own meanwhile.

        If it is *idempotent* it is tried again after failures that pass, with growing pauses;
        else only where the try before certainly did nothing.

        Raises:
            PoolExhausted: no connection became free in time.
            Unavailable: the database cannot be reached; code ``circuit_open`` if it failed several
                times in a row just now, and nothing was sent.
            Timeout: no answer in time.
            TollkeeperError: as the database answered, or as *work* raised it. ``ambiguous`` says
                that one of the tries may have been done all the same.
        """
        if self.loop is not asyncio.get_running_loop():
            raise other_loop()
        step, probing = Step(), False
        try:
            async with asyncio.timeout(self.timeout) as limit:
                self._check()
                async with self._free:
                    # Whoever waited for a connection may hear by now that it is of no use.
                    self._check()
                    step.waiting, step.began = False, self.loop.time()
                    probing = self._breaker.enter(self.loop.time())
                    deadline = limit.when() or 0.0
                    answer = await self._tries(work, step, deadline, idempotent=idempotent)
        except TimeoutError as error:
            if step.waiting:
                raise exhausted() from error
            now = self.loop.time()
            if now - step.began >= self.timeout / 2:
                self._breaker.failed(now)
            elif probing:
                # Most of the time went by in the queue, which says nothing of the database.
                self._breaker.undecided()
            raise too_late(sent=step.sent or step.doubtful) from error
        except asyncio.CancelledError:
            if probing:
                self._breaker.undecided()
            raise
        self._breaker.succeeded()
        return answer

    async def close(self) -> None:
        """Wait for those who work, and close all connections; if that fails, close them at once.

        Raises:
            OSError, asyncpg.PostgresError, asyncpg.InterfaceError: the server failed meanwhile.
        """
        self.connections.end()
        try:
            # Whoever has them all is alone, for they are never given back.
            for _ in range(self.size):
                await self._free.acquire()
            await self.connections.close()
        except BaseException:
            self.connections.terminate()
            raise

    async def _tries(self, work: Work[T], step: Step, deadline: float, *, idempotent: bool) -> T:
        tries = 0
        while True:
            try:
                return await self._once(work, step)
            except Exception as error:
                found = translate(error, sent=step.sent)
            # Raised out here, the error does not drag the server's own, with its texts, along.
            tries += 1
            pause = random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**tries))  # noqa: S311 - it spreads callers, and guards nothing
            doubtful = isinstance(found, PortError) and found.ambiguous
            again = is_passing(found) and (idempotent or not doubtful)
            if not again or tries > _RETRIES or self.loop.time() + pause >= deadline:
                raise self._noted(found, step)
            step.doubtful, step.sent = step.doubtful or doubtful, False
            await asyncio.sleep(pause)

    async def _once(self, work: Work[T], step: Step) -> T:
        connection = await self.connections.take()
        whole = False
        try:
            answer = await work(connection, step)
            whole = True
            return answer
        except Exception as error:
            # Where the server has answered, or nothing was sent, the connection is as good as new.
            whole = not is_over(error)
            raise
        finally:
            self.connections.give(connection, whole=whole)

    def _noted(self, error: BaseException, step: Step) -> BaseException:
        if is_trouble(error):
            self._breaker.failed(self.loop.time())
        elif isinstance(error, TollkeeperError):
            self._breaker.succeeded()
        else:
            self._breaker.undecided()
        if isinstance(error, PortError):
            error.ambiguous = error.ambiguous or step.doubtful
        return error

    def _check(self) -> None:
        seconds = self._breaker.wait(self.loop.time())
        if seconds > 0:
            raise left_alone(timedelta(seconds=seconds))
