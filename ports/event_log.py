"""What happened, in order, for readers who come late."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol, runtime_checkable

from tollkeeper.domain.event_logs import DEFAULT_LIMITS, LoggedEvent, LogLimits, LogPage


@runtime_checkable
class EventLog(Protocol):
    """Keeps logs of events by name, in the order they were appended, for a limited time.

    A log is there once something is appended to it. Its events are numbered from 1 without holes,
    whoever appends. It forgets its oldest events beyond its limits, and all of them when nothing
    was appended for its *age*; the numbers go on for as long again, and for as long as somebody
    reads. Names are 1-255 printable characters, events bytes of at most 256 KiB.

    Each method may raise :class:`InvalidRequest` for a malformed argument and
    :class:`PortError`; with ``ambiguous`` set, it may have been done all the same.
    """

    async def append(
        self, log: str, events: Sequence[bytes], *, limits: LogLimits = DEFAULT_LIMITS
    ) -> tuple[LoggedEvent, ...]:
        """Append 1 to 1,000 *events*, all or none, next to one another, and return them numbered.

        *limits* hold for the log from now on. Nothing is appended twice by one call, whatever
        becomes of its replies.

        Raises:
            LogEnded: the log was ended; nothing was appended.
        """

    async def end(self, log: str, *, limits: LogLimits = DEFAULT_LIMITS) -> None:
        """Say that nothing more comes, for readers to stop; idempotent.

        A log that is not there is ended too, empty. An ended log is kept for its age.
        """

    async def read(
        self,
        log: str,
        *,
        after: str | None = None,
        limit: int = 100,
        wait: timedelta = timedelta(0),
    ) -> LogPage:
        """Return the *limit* events after the one whose id is *after*, or from the first ever.

        If there are none yet, one is waited for, for *wait* at most; then the page is empty. A
        log that is not there is waited for in the same way. Every event is read by whoever asks,
        as often as it is asked for.

        Raises:
            EventsLost: what comes next was forgotten, or *after* is of a log that was; nothing is
                passed over in silence. Its ``oldest`` is where to resume from.
            InvalidRequest: *after* is no id of an event (code ``invalid_event_id``).
        """
