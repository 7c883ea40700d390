"""What a log of events takes, and what its readers get."""

import re
from collections.abc import Sequence
from datetime import timedelta

from attrs import field, frozen

from tollkeeper.domain.checks import checked_duration, checked_text
from tollkeeper.domain.errors import Conflict, InvalidRequest

LARGEST_EVENT = 1 << 18
MOST_AT_ONCE = 1000
"""How many events are appended, or read, in one step."""
LONGEST_LOG = 100_000
_LONGEST_NAME = 255
_SHORTEST_AGE = timedelta(seconds=1)
_LONGEST_AGE = timedelta(days=30)
_ID = re.compile(r"([0-9a-z]{1,13})-(0|[1-9][0-9]{0,15})-(0|[1-9][0-9]{0,15})")


@frozen
class LogLimits:
    """How much of a log is kept: the newest *length* events, none of them older than *age*.

    Args:
        length: 1 to 100,000 events.
        age: a second to 30 days.

    Raises:
        InvalidRequest: they are anything else (code ``invalid_log_limits``).
    """

    length: int = 10_000
    age: timedelta = timedelta(hours=1)

    def __attrs_post_init__(self) -> None:
        if type(self.length) is not int or not 1 <= self.length <= LONGEST_LOG:
            raise InvalidRequest(
                f"a log keeps 1 to {LONGEST_LOG} events", code="invalid_log_limits"
            )
        if not isinstance(self.age, timedelta) or not _SHORTEST_AGE <= self.age <= _LONGEST_AGE:
            raise InvalidRequest(
                "a log keeps events for a second to 30 days", code="invalid_log_limits"
            )


DEFAULT_LIMITS = LogLimits()


@frozen
class LoggedEvent:
    """One event of a log.

    Args:
        id: where it stands, to resume after it: text that means something to the log alone,
            without spaces, fit for the ``id`` of a server-sent event.
        number: how manieth of its log it is, from 1 and without holes.
        data: what was appended.
    """

    id: str
    number: int
    data: bytes = field(repr=False)


@frozen
class LogPage:
    """What one reading found.

    Args:
        events: in order; empty if nothing came.
        ended: whether these were the last: the log was ended, and there is nothing after them.
    """

    events: tuple[LoggedEvent, ...] = ()
    ended: bool = False


@frozen
class EventId:
    """What an id says: the life of the log it is of, when it was appended, and its number.

    A log that was forgotten and begun anew has another *life*; *moment* counts milliseconds, and
    never falls within a life.
    """

    life: str
    moment: int
    number: int

    def __str__(self) -> str:
        return f"{self.life}-{self.moment}-{self.number}"


class EventsLost(Conflict):
    """What comes after the point to resume from is no longer there, or the point itself is not.

    ``oldest`` is where to resume from to get all that is still kept; None if that is nothing: then
    read from the beginning, which is a new one.
    """

    default_code = "events_lost"

    def __init__(
        self, public_message: str, *, oldest: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(public_message, code=code)
        self.oldest = oldest


class LogEnded(Conflict):
    """The log was ended: nothing more can be appended."""

    default_code = "log_ended"


class SlowSubscriber(Conflict):
    """The subscriber fell too far behind, and was left behind so that the others go on.

    ``after`` is the id of the last event that it got: subscribe again from there. None if it got
    none.
    """

    default_code = "slow_subscriber"

    def __init__(
        self, public_message: str, *, after: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(public_message, code=code)
        self.after = after


def lost_events(oldest: EventId | None) -> EventsLost:
    """Make the error of a reader whose next event is gone."""
    return EventsLost(
        "events after this point are no longer kept; resume from the oldest that is, or begin "
        "anew and count what came between as lost",
        oldest=None if oldest is None else str(oldest),
    )


def ended_log() -> LogEnded:
    """Make the error of whoever appends to a log that was ended."""
    return LogEnded("the log was ended; append to another one")


def checked_log_name(name: str) -> str:
    """Return *name*: 1-255 printable characters.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not name:
        raise InvalidRequest("the name of a log must not be empty", code="invalid_log_name")
    return checked_text(name, field="the name of a log", longest=_LONGEST_NAME)


def checked_events(events: Sequence[bytes]) -> list[bytes]:
    """Return *events*: 1 to 1,000, each at most 256 KiB.

    Raises:
        InvalidRequest: they are anything else (code ``invalid_event``).
    """
    if not isinstance(events, list | tuple) or not 1 <= len(events) <= MOST_AT_ONCE:
        raise InvalidRequest(
            f"events are a list of 1 to {MOST_AT_ONCE} at a time", code="invalid_event"
        )
    for event in events:
        if not isinstance(event, bytes) or len(event) > LARGEST_EVENT:
            raise InvalidRequest("an event is bytes, at most 256 KiB of them", code="invalid_event")
    return list(events)


def checked_reading(*, limit: int, wait: timedelta) -> None:
    """Check how a log is read.

    Raises:
        InvalidRequest: *limit* is not 1 to 1,000, or *wait* is negative or no timedelta.
    """
    if type(limit) is not int or not 1 <= limit <= MOST_AT_ONCE:
        raise InvalidRequest(f"limit is a whole number between 1 and {MOST_AT_ONCE}")
    checked_duration(wait, field="wait", shortest=timedelta(0))


def read_event_id(after: str) -> EventId:
    """Read what an earlier event's id says.

    Raises:
        InvalidRequest: it is no such id (code ``invalid_event_id``).
    """
    match = _ID.fullmatch(after) if isinstance(after, str) else None
    if match is None:
        raise InvalidRequest(
            "after must be the id of an event of this log", code="invalid_event_id"
        )
    return EventId(match[1], int(match[2]), int(match[3]))
