"""What a host must deliver: kept with its store, and delivered at least once by any process."""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

from attrs import define, frozen

from tollkeeper.domain.checks import checked_duration, checked_text
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.outbox import Delivery, DeliveryState, Message, checked_lease, next_try
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.outbox import Outbox

Handler = Callable[[Message], Awaitable[None]]
_OURS = "tollkeeper."
_LEASE = timedelta(minutes=1)
_MOST = 10_000


@frozen
class Delivered:
    """What became of the messages of one round: how many were *done*, *failed*, or are *dead*."""

    done: int = 0
    failed: int = 0
    """These are tried again later."""
    dead: int = 0
    """These failed for the last time; ``revive`` gives one another chance."""


@define(eq=False)
class OutboxMessages:
    """Messages that must not get lost, such as mails and webhooks: added once, delivered later.

    ::

        await tk.outbox.add(account="acme", topic="mail", payload=text, idempotency_key="order-7")

        async def send(message): ...
        while True:                                   # in any number of processes
            await tk.outbox.deliver("mail", send)
            await asyncio.sleep(5)

    A message may be delivered twice, where a process died at the wrong moment: go by its id.
    """

    outbox: Outbox
    clock: Clock
    identifiers: Identifiers
    chance: Callable[[], float] = random.random

    async def add(
        self,
        *,
        account: str,
        topic: str,
        payload: str,
        idempotency_key: str,
        delay: timedelta = timedelta(0),
        max_tries: int = 10,
    ) -> Delivery:
        """Keep a message, to be delivered after *delay*, and return how far it is.

        With an idempotency key that *account* used before on *topic* nothing is added, and the
        message that is there is returned.

        Raises:
            IdempotencyConflict: that message has another payload.
            InvalidRequest: an argument is malformed, or *topic* begins with ``tollkeeper.``.
            PortError: the store is away; ask again under the same key.
        """
        checked_duration(delay, field="delay", shortest=timedelta(0))
        now = self.clock.now()
        try:
            due = now + delay
        except OverflowError:
            raise InvalidRequest("delay reaches past the year 9999") from None
        message = Message(
            id=self.identifiers.new("message"),
            account=account,
            topic=_checked_topic(topic),
            idempotency_key=idempotency_key,
            payload=payload,
            created_at=now,
            due_at=due,
            max_tries=max_tries,
        )
        [delivery] = await self.outbox.add([message])
        return delivery

    async def deliver(
        self, topic: str, handler: Handler, *, lease: timedelta = _LEASE, limit: int = 100
    ) -> Delivered:
        """Hand at most *limit* messages of *topic* that are due to *handler*, one by one.

        One that the handler raises on is tried again later, after a pause that doubles each time;
        its error is kept by the name of its class. *lease* is how long the handler may take: a
        message is claimed by somebody else after that. Whoever is cancelled in the midst of a
        message leaves it to the end of its lease.

        Raises:
            InvalidRequest: an argument is malformed.
            PortError: the store is away; a message that was handed over may come again.
        """
        _checked_topic(topic)
        checked_lease(lease)
        if type(limit) is not int or not 1 <= limit <= _MOST:
            raise InvalidRequest(f"limit is a whole number between 1 and {_MOST}")
        done = failed = dead = 0
        for _ in range(limit):
            claimed = await self.outbox.claim(topic=topic, at=self.clock.now(), lease=lease)
            if not claimed:
                break
            [delivery] = claimed
            try:
                await handler(delivery.message)
            except Exception as error:  # whatever a handler raises says that it failed
                after = await self._failed(delivery, error)
                dead += after.state is DeliveryState.DEAD
                failed += after.state is not DeliveryState.DEAD
            else:
                await self.outbox.done(claimed, at=self.clock.now())
                done += 1
        return Delivered(done, failed, dead)

    async def messages(
        self,
        *,
        state: DeliveryState,
        account: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[Delivery, ...]:
        """Return the messages in *state*, the oldest first; *after* is the last id of a page.

        Raises:
            InvalidRequest: *state* is none.
            NotFound: *after* is no message of the account.
        """
        if state not in set(DeliveryState):
            raise InvalidRequest(f"state is one of {', '.join(DeliveryState)}")
        return await self.outbox.messages(state=state, account=account, limit=limit, after=after)

    async def revive(self, message_id: str, *, account: str) -> Delivery:
        """Give a dead message as many tries as a new one has, from now on.

        Raises:
            NotFound: the account has no such message.
            Conflict: it is not dead.
        """
        return await self.outbox.revive(message_id, account=account, at=self.clock.now())

    async def _failed(self, delivery: Delivery, error: Exception) -> Delivery:
        now = self.clock.now()
        return await self.outbox.failed(
            delivery,
            # Not its text: nobody knows what it shows.
            error=type(error).__name__,
            at=now,
            retry_at=next_try(delivery.tries, at=now, chance=self.chance()),
        )


def _checked_topic(topic: str) -> str:
    checked_text(topic, field="topic")
    if topic.startswith(_OURS):
        raise InvalidRequest(f"topics that begin with {_OURS} are Tollkeeper's own")
    return topic
