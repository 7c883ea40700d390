"""What every process has to hear, now."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol, Self, runtime_checkable

from tollkeeper.domain.broadcasts import BroadcastItem


class BroadcastSubscription(Protocol):
    """Messages as they come, and gaps where some may have been missed; it has no end."""

    @property
    def generation(self) -> int:
        """How many gaps there were so far, whether they were read or not.

        What was kept under an earlier generation may be out of date.
        """

    @property
    def connected(self) -> bool:
        """Whether messages come at the moment, as far as is known."""

    def __aiter__(self) -> Self:
        """Read it in an ``async for``."""

    async def __anext__(self) -> BroadcastItem:
        """Wait for the next message or gap; one reader at a time."""


@runtime_checkable
class Broadcast(Protocol):
    """Tells small messages to all who subscribed to a topic, in every process, at most once each.

    Nothing is kept: who is not there hears nothing. Who is there, and may have missed something,
    gets a :class:`BroadcastGap`: when messages stop coming, again when they come once more, and
    where more waited than its backlog. Messages of one publisher come in the order in which its
    calls returned. Topics are 1-255 printable characters, messages bytes of at most 8 KiB.

    Each method raises :class:`InvalidRequest` for a malformed argument.
    """

    async def publish(self, topic: str, data: bytes) -> None:
        """Tell *data* to all subscribers of *topic*; whether any is there is not known.

        Raises:
            PortError: it was perhaps not told; with ``ambiguous`` set, it may have been.
        """

    def subscribe(
        self, topic: str, *, backlog: int = 1000
    ) -> AbstractAsyncContextManager[BroadcastSubscription]:
        """Hear *topic* during an ``async with`` block.

        What is published once the block has begun is heard. Where that cannot be promised within
        the time of one operation, since the store is away, the block begins all the same, not
        ``connected``; a gap comes when it is. At most *backlog* messages wait to be read, 1 to
        100,000.

        Raises:
            PortError: the store refuses, and a retry does not help.
        """
