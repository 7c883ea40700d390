"""Events for hosts: written by one process, followed by browsers at any other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from attrs import define, field

from tollkeeper.application.event_subscription import EventSubscription
from tollkeeper.application.event_upstream import Upstreams
from tollkeeper.application.tenant_names import LONGEST_NAME, TenantNames
from tollkeeper.domain.checks import checked_duration
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.event_logs import (
    DEFAULT_LIMITS,
    EventId,
    LoggedEvent,
    LogLimits,
    LogPage,
    checked_log_name,
    read_event_id,
)
from tollkeeper.ports.event_log import EventLog

_HEARTBEAT = timedelta(seconds=15)
_BACKLOG = 256
_LARGEST_BACKLOG = 100_000
_OUTAGE = timedelta(seconds=10)


@define(eq=False)
class EventLogs:
    """A host's own logs of events, shared by all processes whose settings name the same store.

    ::

        await tk.events.append("answer-7", b"Hel", b"lo")      # the process that has the stream
        await tk.events.end("answer-7")

        async with tk.events.subscribe("answer-7", after=last_event_id) as events:
            async for event in events:                         # any process
                ...

    However many subscribe to a log in one process, one reader reads it for all. *outage* is how
    long the readers wait for a store that is away before they say so.

    Raises, all of it:
        InvalidRequest: a log's name is not 1-120 printable characters, or an argument not sound.
        PortError: the log's store is away.
    """

    event_log: EventLog
    limits: LogLimits = DEFAULT_LIMITS
    outage: timedelta = _OUTAGE
    _names: TenantNames = field(factory=TenantNames)
    _upstreams: Upstreams = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._upstreams = Upstreams(self.event_log, self.outage)

    def scoped(self, tenant: str) -> "EventLogs":
        """Return the logs of *tenant*: no name of another, or of none, meets them.

        Raises:
            InvalidRequest: *tenant* is no name that an account may have.
        """
        scoped = EventLogs(self.event_log, self.limits, self.outage, self._names.of(tenant))
        scoped._upstreams = self._upstreams
        return scoped

    async def append(
        self, log: str, *events: bytes, limits: LogLimits | None = None
    ) -> tuple[LoggedEvent, ...]:
        """Append *events*, all or none, next to one another, and return them with their ids.

        Sent once: where the error is ``ambiguous``, read the log to see whether they are there.

        Raises:
            LogEnded: the log was ended; nothing was appended.
        """
        return await self.event_log.append(self._name(log), events, limits=limits or self.limits)

    async def end(self, log: str, *, limits: LogLimits | None = None) -> None:
        """Say that nothing more comes, for all who follow the log to stop; idempotent."""
        await self.event_log.end(self._name(log), limits=limits or self.limits)

    async def read(self, log: str, *, after: str | None = None, limit: int = 100) -> LogPage:
        """Return the *limit* events after *after* that are there now, or the first ones ever.

        Raises:
            EventsLost: what comes next was forgotten; its ``oldest`` is where to resume.
        """
        return await self.event_log.read(self._name(log), after=after, limit=limit)

    @asynccontextmanager
    async def subscribe(
        self,
        log: str,
        *,
        after: str | None = None,
        heartbeat: timedelta | None = _HEARTBEAT,
        backlog: int = _BACKLOG,
    ) -> AsyncIterator[EventSubscription]:
        """Follow a log: what is there after *after*, or from the first event, and what comes.

        A log that is not there yet is waited for. In an ``async for``, None comes where nothing
        else came for *heartbeat*, to keep a browser's connection alive. A subscriber for whom
        more than *backlog* events wait is left behind with :class:`SlowSubscriber`, so that it
        holds up nobody and its memory is bounded.

        Raises:
            InvalidRequest: *after* is no id of an event (code ``invalid_event_id``).
        """
        name = self._name(log)
        place = EventId("", 0, 0) if after is None else read_event_id(after)
        if heartbeat is not None:
            checked_duration(heartbeat, field="heartbeat", shortest=timedelta(milliseconds=1))
        if type(backlog) is not int or not 1 <= backlog <= _LARGEST_BACKLOG:
            raise InvalidRequest(f"backlog is a whole number between 1 and {_LARGEST_BACKLOG}")
        subscription = EventSubscription(
            name, after, backlog, heartbeat, self._upstreams, place.number
        )
        try:
            yield subscription
        finally:
            await subscription.leave()

    @property
    def readers(self) -> int:
        """How many logs are being read at the moment, for all subscribers of this process."""
        return len(self._upstreams)

    def _name(self, log: str) -> str:
        checked_log_name(log)
        if len(log) > LONGEST_NAME:
            raise InvalidRequest(
                f"the name of a log has at most {LONGEST_NAME} characters", code="invalid_log_name"
            )
        return self._names.name(log)
