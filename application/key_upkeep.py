"""What goes on beside the calls while a facade is open: hearing of keys, and writing what waits."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Self

from attrs import define, field

from tollkeeper.application.key_minting import Peppers
from tollkeeper.application.key_peppers import KeyPeppers
from tollkeeper.application.key_uses import KeyUses
from tollkeeper.application.known_keys import KnownKeys
from tollkeeper.application.refusals import Refusals
from tollkeeper.domain.errors import TollkeeperError
from tollkeeper.domain.key_news import TOPIC
from tollkeeper.ports.broadcast import Broadcast, BroadcastSubscription

_USES_EVERY = 10.0
_REFUSALS_EVERY = 60.0
_PEPPERS_EVERY = timedelta(minutes=5)
_PAUSE = 1.0
_BEAT = 0.5
_LAST_WRITE = 5.0


@define(eq=False)
class KeyUpkeep:
    """Listens for changed keys and writes uses and refusals, during an ``async with`` block."""

    known: KnownKeys
    broadcast: Broadcast
    uses: KeyUses
    refusals: Refusals
    peppers: Peppers | None = None
    """Looked for anew now and then, if they come from where they can change."""
    _closing: asyncio.Event = field(factory=asyncio.Event, init=False, repr=False)
    _listening: "asyncio.Task[None] | None" = field(default=None, init=False, repr=False)
    _refreshing: "asyncio.Task[None] | None" = field(default=None, init=False, repr=False)
    _tasks: "list[asyncio.Task[None]]" = field(factory=list, init=False, repr=False)

    async def __aenter__(self) -> Self:
        self._closing.clear()
        if self.known.ttl > 0:
            self._listening = asyncio.ensure_future(self._listen())
            await asyncio.sleep(0)  # a subscription that need not wait stands before the first call
        for each in (self._write_uses, self._write_refusals):
            self._tasks.append(asyncio.ensure_future(each()))
        if isinstance(self.peppers, KeyPeppers):
            refresh = self.peppers.refresh_forever(_PEPPERS_EVERY)
            self._refreshing = asyncio.ensure_future(refresh)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._closing.set()
        self.refusals.alarm.set()  # who waits for that hears of the closing too
        for task in (self._listening, self._refreshing):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self.known.heard(connected=False)
        # They write once more and end; counts are a courtesy, for which closing is not held up.
        _, late = await asyncio.wait(self._tasks, timeout=_LAST_WRITE)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _listen(self) -> None:
        while True:
            try:
                async with self.broadcast.subscribe(TOPIC) as changes:
                    self.known.heard(connected=changes.connected)
                    beat = asyncio.ensure_future(self._beat(changes))
                    try:
                        async for item in changes:
                            self.known.hear(item)
                    finally:
                        beat.cancel()
            except TollkeeperError:
                pass  # the broadcast is away: nothing is known until it can be heard again
            finally:
                self.known.heard(connected=False)
            await asyncio.sleep(_PAUSE)

    async def _beat(self, changes: BroadcastSubscription) -> None:
        """Show that the loop goes on, and what came is read."""
        gaps = changes.generation
        while True:
            await asyncio.sleep(_BEAT)
            if changes.generation != gaps:
                gaps = changes.generation
                self.known.flush()
            self.known.heard(connected=changes.connected)

    async def _write_uses(self) -> None:
        closing = False
        while not closing:
            await _set(self._closing, _USES_EVERY)
            closing = self._closing.is_set()  # then it writes once more, whatever it did before
            await self.uses.write()

    async def _write_refusals(self) -> None:
        closing = False
        while not closing:
            await _set(self.refusals.alarm, _REFUSALS_EVERY)
            closing = self._closing.is_set()
            await self.refusals.write()
            if not closing:
                await _set(self._closing, _PAUSE)  # an alarm that goes on writes no more


async def _set(event: asyncio.Event, timeout: float) -> None:
    """Wait until *event* is set, at most *timeout* seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            await event.wait()
