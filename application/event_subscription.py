"""One subscriber to a log of events."""

import asyncio
from collections import deque
from datetime import timedelta
from typing import Self

from attrs import define, field

from tollkeeper.application.event_upstream import PAGE, Upstream, Upstreams, patiently_read
from tollkeeper.domain.event_logs import LoggedEvent, LogPage, SlowSubscriber

_BEHIND = 0.01


@define(eq=False)
class EventSubscription:
    """The events of a log as they come, in an ``async for``; None is a heartbeat.

    It ends where the log was ended. It raises, and is over then:

    * :class:`EventsLost` where events were forgotten before they could be read;
    * :class:`SlowSubscriber` where more events waited for it than its *backlog*;
    * :class:`PortError` where the log's store was away for too long.

    After each of them, subscribe again :attr:`after` the last event that was got.
    """

    log: str
    after: str | None
    """The id of the last event that was got, or what to resume from before the first."""
    backlog: int
    heartbeat: timedelta | None
    _upstreams: Upstreams = field(repr=False)
    _number: int = 0
    _queue: deque[LoggedEvent] = field(factory=deque, repr=False)
    _wake: asyncio.Event = field(factory=asyncio.Event, repr=False)
    _upstream: Upstream | None = field(default=None, repr=False)
    _joined: bool = False
    _ended: bool = False
    _error: Exception | None = field(default=None, repr=False)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> LoggedEvent | None:
        """Return the next event, or None if there was none for as long as a heartbeat."""
        loop = asyncio.get_running_loop()
        beat = None
        if self.heartbeat is not None:
            beat = loop.time() + self.heartbeat.total_seconds()
        while True:
            while self._queue:
                event = self._queue.popleft()
                if event.number > self._number:
                    self.after, self._number = event.id, event.number
                    return event
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            if not self._joined:
                await self._catch_up()
                continue
            self._wake.clear()
            try:
                async with asyncio.timeout_at(beat):
                    await self._wake.wait()
            except TimeoutError:
                return None

    def has_room(self, events: int) -> bool:
        """Tell whether it can take as many *events*; who is over holds up nobody."""
        over = self._ended or self._error is not None
        return over or len(self._queue) + events <= self.backlog

    def offer(self, page: LogPage) -> None:
        """Take what came next."""
        if self._error is not None or self._ended:
            return
        self._queue.extend(page.events)
        self._ended = page.ended
        if len(self._queue) > self.backlog:
            # What was not got yet can be read again; keeping it would have no bound.
            self._queue.clear()
            self._ended = False
            self._error = SlowSubscriber(
                f"more than {self.backlog} events waited for this subscriber; subscribe again "
                "after the last one that it got",
                after=self.after,
            )
        self._wake.set()

    def fail(self, error: Exception) -> None:
        """Hear that nothing more comes, and why."""
        self._error = error
        self._wake.set()

    async def leave(self) -> None:
        """Be handed nothing more."""
        self._ended = True
        self._queue.clear()
        if self._upstream is not None:
            upstream, self._upstream = self._upstream, None
            await self._upstreams.leave(self, upstream)

    async def _catch_up(self) -> None:
        """Read a page of what is there already; once there is nothing, join those who wait."""
        page = await patiently_read(
            self._upstreams.event_log,
            self.log,
            after=self.after,
            limit=min(PAGE, self.backlog),
            wait=timedelta(0),
            outage=self._upstreams.outage,
        )
        self._queue.extend(page.events)
        self._ended = page.ended
        if page.events or page.ended:
            return
        self._upstream = self._upstreams.join(self, self.log, after=self.after, number=self._number)
        self._joined = self._upstream is not None
        if not self._joined:
            await asyncio.sleep(_BEHIND)
