"""An outbox in the memory of the process."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from attrs import evolve, field, frozen

from tollkeeper.domain.checks import checked_time
from tollkeeper.domain.errors import Conflict, IdempotencyConflict, NotFound
from tollkeeper.domain.outbox import (
    Delivery,
    DeliveryState,
    Message,
    checked_lease,
    kept_error,
)

_KEY_USED = "the idempotency key was used for a message with another payload"


@frozen
class MemoryOutbox:
    """Keeps messages until the process ends.

    Nothing is awaited in here, which alone makes each method atomic.
    """

    by_id: dict[str, Delivery] = field(factory=dict, repr=False)
    id_of_key: dict[tuple[str, str, str], str] = field(factory=dict, repr=False)
    """By account, topic and idempotency key."""

    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        """Keep *messages*, all or none."""
        new: dict[tuple[str, str, str], Message] = {}
        ids: dict[str, Message] = {}
        for message in messages:
            known = self.id_of_key.get(_key(message))
            first = new.get(_key(message)) if known is None else self.by_id[known].message
            if first is not None:
                if not message.is_same(first):
                    raise IdempotencyConflict(_KEY_USED)
                continue
            if message.id in self.by_id or message.id in ids:
                raise Conflict("an id is taken already; make a new one")
            new[_key(message)] = ids[message.id] = message
        for key, message in new.items():
            self.by_id[message.id] = Delivery(message)
            self.id_of_key[key] = message.id
        return tuple(self.by_id[self.id_of_key[_key(message)]] for message in messages)

    async def claim(
        self, *, topic: str, at: datetime, lease: timedelta, limit: int = 1
    ) -> tuple[Delivery, ...]:
        """Lend messages that are due."""
        at = checked_time(at)
        until = at + checked_lease(lease)
        due = [
            each
            for each in self.by_id.values()
            if each.state is DeliveryState.PENDING
            and each.message.topic == topic
            and each.due_at <= at
        ]
        claimed: list[Delivery] = []
        for each in sorted(due, key=lambda one: (one.due_at, one.message.id)):
            if len(claimed) >= limit:
                break
            if each.tries >= each.message.max_tries:
                self._put(evolve(each, state=DeliveryState.DEAD, ended_at=at))
                continue
            lent = evolve(each, claims=each.claims + 1, tries=each.tries + 1, due_at=until)
            claimed.append(self._put(lent))
        return tuple(claimed)

    async def done(self, deliveries: Sequence[Delivery], *, at: datetime) -> None:
        """Note that they were delivered."""
        at = checked_time(at)
        for delivery in deliveries:
            known = self.by_id.get(delivery.message.id)
            if known is not None and known.state is not DeliveryState.DONE:
                self._put(evolve(known, state=DeliveryState.DONE, ended_at=at))

    async def failed(
        self, delivery: Delivery, *, error: str, at: datetime, retry_at: datetime | None
    ) -> Delivery:
        """Note that a try failed."""
        at = checked_time(at)
        retry_at = None if retry_at is None else checked_time(retry_at, field="retry_at")
        known = self._known(delivery.message.id)
        if known.state is not DeliveryState.PENDING or known.claims != delivery.claims:
            return known
        if retry_at is None or known.tries >= known.message.max_tries:
            dead = evolve(known, state=DeliveryState.DEAD, ended_at=at, error=kept_error(error))
            return self._put(dead)
        return self._put(evolve(known, due_at=retry_at, error=kept_error(error)))

    async def messages(
        self,
        *,
        state: DeliveryState,
        account: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[Delivery, ...]:
        """Return a page of the messages in *state*."""
        found = [
            each
            for each in self.by_id.values()
            if each.state is state and account in (None, each.message.account)
        ]
        if after is not None:
            last = _position(self._known(after, account))
            found = [each for each in found if _position(each) > last]
        return tuple(sorted(found, key=_position)[: max(limit, 0)])

    async def revive(self, message_id: str, *, account: str, at: datetime) -> Delivery:
        """Make a dead message due."""
        at = checked_time(at)
        known = self._known(message_id, account)
        if known.state is not DeliveryState.DEAD:
            raise Conflict("the message is not dead", code="message_not_dead")
        return self._put(
            evolve(
                known,
                state=DeliveryState.PENDING,
                claims=known.claims + 1,
                tries=0,
                due_at=at,
                ended_at=None,
            )
        )

    def _known(self, message_id: str, account: str | None = None) -> Delivery:
        known = self.by_id.get(message_id)
        if known is None or account not in (None, known.message.account):
            raise NotFound("no such message", code="message_not_found")
        return known

    def _put(self, delivery: Delivery) -> Delivery:
        self.by_id[delivery.message.id] = delivery
        return delivery


def _key(message: Message) -> tuple[str, str, str]:
    return message.account, message.topic, message.idempotency_key


def _position(delivery: Delivery) -> tuple[datetime, str]:
    return delivery.message.created_at, delivery.message.id
