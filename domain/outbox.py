"""Messages that must be delivered at least once, and how far their delivery is. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

from attrs import field, frozen

from tollkeeper.domain.checks import (
    checked_account,
    checked_duration,
    checked_idempotency_key,
    checked_text,
    checked_time,
    checked_unicode,
)
from tollkeeper.domain.errors import InvalidRequest

LARGEST_PAYLOAD = 256 * 1024
"""In bytes of UTF-8."""
_MOST_TRIES = 1000
_LONGEST_ERROR = 500
_SHORTEST_LEASE = timedelta(milliseconds=1)
_LONGEST_LEASE = timedelta(days=1)


class DeliveryState(StrEnum):
    """Where a message stands."""

    PENDING = "pending"
    """It is due, or waits until it is, or somebody delivers it at this moment."""
    DONE = "done"
    DEAD = "dead"
    """It was tried as often as it may be, or given up: nobody claims it any more."""


@frozen
class Message:
    """Something to deliver, written with the change that it tells of; it never changes.

    Args:
        id: a name of its own.
        account: whose it is.
        topic: what kind it is, which says who delivers it; 1-255 printable characters.
        idempotency_key: the caller's; one account has one message of a topic with it.
        payload: what is delivered, text of at most 256 KiB, JSON as a rule.
        created_at: when it was written.
        due_at: not to be delivered before; at once, if it is left out.
        max_tries: how often delivery is tried, 1 to 1000.
    """

    id: str
    account: str
    topic: str
    idempotency_key: str
    payload: str = field(repr=False)
    created_at: datetime
    due_at: datetime = field()
    max_tries: int = 10

    @due_at.default
    def _at_once(self) -> datetime:
        return self.created_at

    def __attrs_post_init__(self) -> None:
        if not self.id or not self.topic:
            raise InvalidRequest("a message needs an id and a topic", code="invalid_outbox_message")
        checked_text(self.id, field="the id of a message")
        checked_text(self.topic, field="the topic of a message")
        checked_account(self.account)
        checked_idempotency_key(self.idempotency_key)
        checked_unicode(self.payload, field="payload", code="invalid_outbox_message")
        if "\0" in self.payload or len(self.payload.encode()) > LARGEST_PAYLOAD:
            raise InvalidRequest(
                "payload must be text of at most 256 KiB, without the character 0",
                code="invalid_outbox_message",
            )
        checked_time(self.created_at, field="created_at")
        checked_time(self.due_at, field="due_at")
        if type(self.max_tries) is not int or not 1 <= self.max_tries <= _MOST_TRIES:
            raise InvalidRequest(
                "max_tries is a whole number, 1 to 1000", code="invalid_outbox_message"
            )

    def is_same(self, other: "Message") -> bool:
        """Whether both ask for the same delivery; a repeated request has a new id and time."""
        return self.payload == other.payload


@frozen
class Delivery:
    """How far the delivery of a *message* is.

    Args:
        message: what is delivered.
        state: where it stands.
        claims: a number that each claim, and each revival, raises; it tells claims apart.
        tries: how often since it was written or revived; never above ``message.max_tries``.
        due_at: while it is pending, when it may be claimed next: a claim moves it to the end of
            its lease.
        error: why the last try failed; empty if none did.
        ended_at: since when it is done or dead.
    """

    message: Message
    state: DeliveryState = DeliveryState.PENDING
    claims: int = 0
    tries: int = 0
    due_at: datetime = field()
    error: str = ""
    ended_at: datetime | None = None

    @due_at.default
    def _first_due(self) -> datetime:
        return self.message.due_at


def checked_lease(lease: timedelta) -> timedelta:
    """Return *lease*: a millisecond to a day.

    Raises:
        InvalidRequest: it is anything else.
    """
    checked_duration(lease, field="lease", shortest=_SHORTEST_LEASE)
    if lease > _LONGEST_LEASE:
        raise InvalidRequest("a message is claimed for a day at most")
    return lease


def kept_error(error: str) -> str:
    """Return *error* as it is kept with a message: on one line, at most 500 characters."""
    plain = "".join(character if character.isprintable() else " " for character in error)
    return plain[:_LONGEST_ERROR]


def next_try(
    tries: int,
    *,
    at: datetime,
    chance: float,
    first_pause: timedelta = timedelta(seconds=5),
    longest_pause: timedelta = timedelta(hours=1),
) -> datetime:
    """Say when a message whose *tries*-th try failed at *at* is tried again.

    The pause is *first_pause*, twice that, …, at most *longest_pause*; *chance*, drawn from 0 to
    1, takes up to half of it away, so that messages that failed together do not come back together.
    """
    # More doublings than these leave the range of a timedelta.
    doublings = min(max(tries - 1, 0), 20)
    pause: timedelta = min(first_pause * 2**doublings, longest_pause)
    return at + pause * (1 - chance / 2)
