"""What is told to every process at once, and what its subscribers get."""

from collections import deque

from attrs import define, field, frozen

from tollkeeper.domain.checks import checked_text
from tollkeeper.domain.errors import InvalidRequest

LARGEST_MESSAGE = 1 << 13
LARGEST_BACKLOG = 100_000
_LONGEST_TOPIC = 255


@frozen
class BroadcastMessage:
    """One message, as it was published."""

    data: bytes = field(repr=False)


@frozen
class BroadcastGap:
    """Messages may have been missed: what was kept because of those that came has to be dropped.

    Args:
        connected: whether messages come again. If not, another gap follows when they do.
    """

    connected: bool


BroadcastItem = BroadcastMessage | BroadcastGap


@define(eq=False)
class Mailbox:
    """What waits for one subscriber: messages, or one gap in the place of all that it hides.

    Args:
        backlog: how many messages may wait; one more, and they become a gap.
        connected: whether messages can come.
        generation: how many gaps there were so far, taken out or not.
    """

    backlog: int
    connected: bool = True
    generation: int = 0
    _waiting: deque[BroadcastItem] = field(factory=deque, repr=False)

    def deliver(self, data: bytes) -> None:
        """Put a message in."""
        if len(self._waiting) >= self.backlog:
            self.miss(connected=self.connected)
        else:
            self._waiting.append(BroadcastMessage(data))

    def miss(self, *, connected: bool) -> None:
        """Put a gap in: whoever drops everything needs none of the messages before it."""
        self.connected = connected
        self.generation += 1
        self._waiting.clear()
        self._waiting.append(BroadcastGap(connected))

    def take(self) -> BroadcastItem | None:
        """Take out what came first; None if nothing waits."""
        return self._waiting.popleft() if self._waiting else None


def checked_topic(topic: str) -> str:
    """Return *topic*: 1-255 printable characters.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not topic:
        raise InvalidRequest("a topic must not be empty", code="invalid_topic")
    return checked_text(topic, field="a topic", longest=_LONGEST_TOPIC)


def checked_message(data: bytes) -> bytes:
    """Return *data*: bytes, at most 8 KiB.

    Raises:
        InvalidRequest: it is anything else (code ``invalid_broadcast``).
    """
    if not isinstance(data, bytes) or len(data) > LARGEST_MESSAGE:
        raise InvalidRequest(
            "what is broadcast is bytes, at most 8 KiB of them", code="invalid_broadcast"
        )
    return data


def checked_backlog(backlog: int) -> int:
    """Return *backlog*: 1 to 100,000.

    Raises:
        InvalidRequest: it is anything else.
    """
    if type(backlog) is not int or not 1 <= backlog <= LARGEST_BACKLOG:
        raise InvalidRequest(f"backlog is a whole number between 1 and {LARGEST_BACKLOG}")
    return backlog
