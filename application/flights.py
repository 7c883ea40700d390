"""Single flight: of those who ask the same at the same time, one leads and the others wait.

Whoever leads asks; when it is over, the next of those who wait leads. Nobody leads for ever: a
lead that is a stream ends as well when its caller keeps a piece for too long, so that a caller
who never reads on holds nobody up.
"""

import asyncio
from collections import deque
from contextlib import suppress

from attrs import define, field

from tollkeeper.domain.errors import Conflict, TollkeeperError

LONGEST_PAUSE = 5.0
"""Seconds that the caller of a stream may keep one piece while others wait for the answer."""


@define(eq=False)
class Wait:
    """One caller's wait for an answer, which another task may end."""

    _waker: "asyncio.Future[TollkeeperError | None] | None" = None

    def end(self, error: TollkeeperError) -> None:
        """Let the one who waits, if anybody does, go with *error*."""
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(error)


@define(eq=False)
class Lead:
    """The right to ask for the answer called *name*; it ends once, whoever ends it."""

    flights: "Flights"
    name: str
    waited: bool
    """Whether others led before."""
    ended: bool = False
    _watch: asyncio.TimerHandle | None = None
    _handed_at: float | None = None

    def end(self) -> None:
        """Let the next lead; does nothing the second time."""
        if self.ended:
            return
        self.ended = True
        if self._watch is not None:
            self._watch.cancel()
        self.flights.pass_on(self.name)

    def handed_out(self) -> None:
        """Note that the caller has a piece in hand, and may or may not come back for more."""
        if self.ended:
            return
        loop = asyncio.get_running_loop()
        self._handed_at = loop.time()
        if self._watch is None:
            self._watch = loop.call_at(self._handed_at + LONGEST_PAUSE, self._look)

    def came_back(self) -> None:
        """Note that the caller reads on."""
        self._handed_at = None

    def _look(self) -> None:
        # Set once in a while, not for each piece: a timer for each would cost more than the piece.
        self._watch = None
        if self._handed_at is None:
            return
        loop = asyncio.get_running_loop()
        due = self._handed_at + LONGEST_PAUSE
        if due <= loop.time():
            self.end()
        else:
            self._watch = loop.call_at(due, self._look)


@define(eq=False)
class Flights:
    """Who leads and who waits, by the name of the answer; of one event loop."""

    _waiting: "dict[str, deque[asyncio.Future[TollkeeperError | None]]]" = field(factory=dict)
    """A name is here as long as somebody leads; those who wait stand in their order."""
    _closed: bool = False

    def __len__(self) -> int:
        return len(self._waiting)

    async def lead(self, name: str, *, until: float, wait: Wait | None = None) -> Lead:
        """Wait until nobody else leads, at most *until* that moment of the event loop's clock.

        Raises:
            TimeoutError: somebody else leads still.
            Conflict: the flights are closed (code ``facade_closed``).
            TollkeeperError: another task ended the *wait* with it.
        """
        if self._closed:
            raise _closed()
        queue = self._waiting.get(name)
        if queue is None:
            self._waiting[name] = deque()
            return Lead(self, name, waited=False)
        waker: asyncio.Future[TollkeeperError | None] = asyncio.get_running_loop().create_future()
        queue.append(waker)
        if wait is not None:
            wait._waker = waker
        try:
            async with asyncio.timeout_at(until):
                error = await waker
        except BaseException:
            if waker.done() and not waker.cancelled() and waker.result() is None:
                self.pass_on(name)  # it was this one's turn, at the very moment when it left
            else:
                _remove(queue, waker)
            raise
        if error is not None:
            _remove(queue, waker)
            raise error
        return Lead(self, name, waited=True)

    def pass_on(self, name: str) -> None:
        """Let the first of those who wait lead."""
        queue = self._waiting.get(name, deque())
        while queue:
            waker = queue.popleft()
            if not waker.done():
                waker.set_result(None)
                return
        self._waiting.pop(name, None)  # gone already where the flights are closed

    def close(self) -> None:
        """Let nobody wait any more."""
        self._closed = True
        for queue in self._waiting.values():
            for waker in queue:
                if not waker.done():
                    waker.set_result(_closed())
        self._waiting.clear()


def _closed() -> Conflict:
    return Conflict("this facade is closed; open another one", code="facade_closed")


def _remove(
    queue: "deque[asyncio.Future[TollkeeperError | None]]",
    waker: "asyncio.Future[TollkeeperError | None]",
) -> None:
    with suppress(ValueError):
        queue.remove(waker)
