"""The one reader of a log in a process, who hands its events on to all who subscribe."""

import asyncio
import copy
import random
from datetime import timedelta
from typing import Protocol

import anyio
from attrs import define, field

from tollkeeper.domain.errors import PortError, TollkeeperError
from tollkeeper.domain.event_logs import LogPage, read_event_id
from tollkeeper.ports.event_log import EventLog

PAGE = 100
_LONGEST_READ = timedelta(seconds=30)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_LOOK, _LOOKS = 0.005, 20


class Receiver(Protocol):
    """One who is handed events; no method waits."""

    backlog: int

    def has_room(self, events: int) -> bool:
        """Tell whether it can take as many *events*."""

    def offer(self, page: LogPage) -> None:
        """Take what came next."""

    def fail(self, error: Exception) -> None:
        """Hear that nothing more comes, and why."""


async def patiently_read(
    event_log: EventLog,
    log: str,
    *,
    after: str | None,
    limit: int,
    wait: timedelta,
    outage: timedelta,
) -> LogPage:
    """Read a page, again and again while the log's store is away, for *outage* at most.

    Raises:
        PortError: it was away for longer, or a retry does not help.
        EventsLost: what comes next was forgotten.
    """
    loop = asyncio.get_running_loop()
    until: float | None = None
    tries = 0
    while True:
        try:
            return await event_log.read(log, after=after, limit=limit, wait=wait)
        except PortError as error:
            tries += 1
            if until is None:
                until = loop.time() + outage.total_seconds()
            longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**tries)
            pause = random.uniform(0, longest)  # noqa: S311 - it spreads callers, and guards nothing
            hopeless = not error.retryable or error.code == "not_open"
            if hopeless or loop.time() + pause >= until:
                raise
        await asyncio.sleep(pause)


@define(eq=False)
class Upstream:
    """Reads *log* on from *after*, whose number is *number*, and hands on what it reads."""

    event_log: EventLog
    log: str
    outage: timedelta
    after: str | None = None
    number: int = 0
    receivers: "set[Receiver]" = field(factory=set)
    _reading: "asyncio.Task[None] | None" = None

    @property
    def life(self) -> str:
        """Name the life of the log that is read; empty until its first event came."""
        return "" if self.after is None else read_event_id(self.after).life

    def start(self, upstreams: "Upstreams") -> None:
        """Begin to read."""
        self._reading = asyncio.create_task(self._read(upstreams))

    async def stop(self) -> None:
        """End reading, and whatever it waits for."""
        if self._reading is not None:
            self._reading.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([self._reading])

    async def _read(self, upstreams: "Upstreams") -> None:
        try:
            while True:
                # Whoever has an empty queue can always take a page.
                limit = min([PAGE, *(receiver.backlog for receiver in self.receivers)])
                await self._let_them_take(limit)
                page = await patiently_read(
                    self.event_log,
                    self.log,
                    after=self.after,
                    limit=limit,
                    wait=_LONGEST_READ,
                    outage=self.outage,
                )
                if page.events:
                    self.after, self.number = page.events[-1].id, page.events[-1].number
                    upstreams.known(self)
                if page.ended:
                    # Who comes from now on reads the end itself.
                    upstreams.over(self)
                for receiver in list(self.receivers):
                    receiver.offer(page)
                if page.ended:
                    return
        except Exception as error:
            upstreams.over(self)
            for receiver in list(self.receivers):
                receiver.fail(_own(error))

    async def _let_them_take(self, events: int) -> None:
        """Let a burst go at the pace of the slowest, but for a moment only."""
        await asyncio.sleep(0)
        for _ in range(_LOOKS):
            if all(receiver.has_room(events) for receiver in self.receivers):
                return
            await asyncio.sleep(_LOOK)


def _own(error: Exception) -> Exception:
    """Return *error* for one receiver: raised by several, one would gather all their frames."""
    if not isinstance(error, TollkeeperError):
        return error
    own = copy.copy(error)
    own.__cause__ = error.__cause__
    return own


@define(eq=False)
class Upstreams:
    """The readers of one process, by log, and by its life as far as it is known."""

    event_log: EventLog
    outage: timedelta
    _running: dict[tuple[str, str], Upstream] = field(factory=dict)

    def join(
        self, receiver: Receiver, log: str, *, after: str | None, number: int
    ) -> Upstream | None:
        """Let *receiver* have all that comes after *after*, or some more before it; not less.

        Returns None if the log's reader is ahead of it: then it has to read what lies between.
        """
        life = "" if after is None else read_event_id(after).life
        upstream = self._running.get((log, life))
        if upstream is None:
            upstream = Upstream(self.event_log, log, self.outage, after, number)
            self._running[log, life] = upstream
            upstream.start(self)
        elif upstream.number > number:
            return None
        upstream.receivers.add(receiver)
        return upstream

    async def leave(self, receiver: Receiver, upstream: Upstream) -> None:
        """Hand *receiver* nothing more; the reader whom nobody needs ends."""
        upstream.receivers.discard(receiver)
        if not upstream.receivers:
            self.over(upstream)
            await upstream.stop()

    def known(self, upstream: Upstream) -> None:
        """Note the life of the log that *upstream* reads."""
        if self._running.get((upstream.log, "")) is upstream:
            del self._running[upstream.log, ""]
            self._running.setdefault((upstream.log, upstream.life), upstream)

    def over(self, upstream: Upstream) -> None:
        """Have nobody join *upstream* any more."""
        for key in [(upstream.log, ""), (upstream.log, upstream.life)]:
            if self._running.get(key) is upstream:
                del self._running[key]

    def __len__(self) -> int:
        return len(self._running)
