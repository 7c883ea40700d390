"""What must be delivered, at least once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from tollkeeper.domain.outbox import Delivery, DeliveryState, Message


@runtime_checkable
class Outbox(Protocol):
    """Keeps messages until they are delivered. Each method is atomic and may raise PortError.

    A message is claimed for a limited time, its lease. Whoever claimed it delivers it, and says
    how that went; who says nothing until the lease is over, because its process died, say, has
    failed, and the message is claimed again. So each is delivered at least once: a receiver that
    must not act twice goes by ``message.id``. Nobody is promised an order, but the message that
    has been due for longest is claimed first.

    All times are arguments; the store's own clock decides nothing.
    """

    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        """Keep *messages*, all or none, and return how far each is, in their order.

        Where the account has a message of that topic and idempotency key, that one stands and is
        returned, whatever the new one's id, times and tries are.

        Raises:
            IdempotencyConflict: that one has another payload.
            Conflict: an id is taken by another message.
        """

    async def claim(
        self, *, topic: str, at: datetime, lease: timedelta, limit: int = 1
    ) -> tuple[Delivery, ...]:
        """Lend at most *limit* messages of *topic* that are due at *at*, until *at* + *lease*.

        No message is lent to two callers at once. Each counts as tried from now on. One whose
        lease is over, and that was tried as often as it may be, becomes dead instead. The answer
        is empty only if nothing is due that nobody else is claiming at this moment.

        Raises:
            InvalidRequest: *lease* is not a millisecond to a day.
        """

    async def done(self, deliveries: Sequence[Delivery], *, at: datetime) -> None:
        """Note that they were delivered; idempotent.

        It holds even where the lease is over and somebody else has claimed the message, or it is
        dead by now: what was delivered was delivered. Messages that are not here are passed over.
        """

    async def failed(
        self, delivery: Delivery, *, error: str, at: datetime, retry_at: datetime | None
    ) -> Delivery:
        """Note that this try failed, and why; idempotent. Return how far it is now.

        It is due again at *retry_at*. It becomes dead if that is None, or if it was tried as
        often as it may be. Nothing is changed if somebody has claimed it since, or it is not
        pending any more. *error* is kept on one line, of at most 500 characters.

        Raises:
            NotFound: it is not here.
        """

    async def messages(
        self,
        *,
        state: DeliveryState,
        account: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[Delivery, ...]:
        """Return the messages in *state*, of one *account* or of all, at most *limit*.

        In order of ``(created_at, id)``; *after* is the id of the last message of the page
        before, in whatever state it is by now.

        Raises:
            NotFound: *after* is no message of the account.
        """

    async def revive(self, message_id: str, *, account: str, at: datetime) -> Delivery:
        """Make a dead message due at *at*, with as many tries as a new one has.

        Raises:
            NotFound: the account has no such message.
            Conflict: it is not dead.
        """
