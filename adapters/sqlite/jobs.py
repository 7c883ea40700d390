"""One change on its way from a caller to the writer and back."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from anyio import CancelScope
from attrs import define, field

Change = Callable[[sqlite3.Connection], Any]


async def settled(future: asyncio.Future[Any]) -> None:
    """Wait until *future* is done, however often the waiter is cancelled meanwhile."""
    with CancelScope(shield=True):
        while not future.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([future])


@define(eq=False)
class Job:
    """A *change*, and the caller in *loop* who awaits what becomes of it."""

    change: Change
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]
    submitted: float = field(factory=time.monotonic)
    value: Any = None
    error: Exception | None = None
    _ticket: list[None] = field(factory=lambda: [None])
    _settled: bool = False
    _aftermath: asyncio.Future[None] | None = None

    def claim(self) -> bool:
        """Take the right to decide whether the change happens; the first to ask gets it."""
        try:
            # Popping is the one step, in CPython, that two threads cannot both succeed at.
            self._ticket.pop()
        except IndexError:
            return False
        return True

    async def wait(self) -> Any:
        """Wait for the writer and return what the change returned.

        A caller who is cancelled before the change began takes it back. Later it stands, and the
        caller hears of the cancellation when the change is settled: whoever looks then sees it.

        Raises:
            Exception: what the change raised.
        """
        try:
            return await self.answer
        except asyncio.CancelledError:
            if not self._settled and not self.claim():
                self._aftermath = self.loop.create_future()
                await settled(self._aftermath)
            raise

    def settle(self) -> None:
        """Tell the caller; runs in the caller's loop."""
        self._settled = True
        if self._aftermath is not None:
            self._aftermath.set_result(None)
        if self.answer.done():
            return
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.value)


def hand_over(jobs: Iterable[Job]) -> None:
    """Tell the callers of *jobs*; waking a loop is dear, so each is woken once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, done in by_loop.items():
        # A loop that was closed has nobody left to tell.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle_all, done)


def _settle_all(jobs: Iterable[Job]) -> None:
    for job in jobs:
        job.settle()
