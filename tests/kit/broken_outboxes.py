"""Outboxes, each with one fault in how messages are added and claimed."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve

from tollkeeper.adapters.memory.outbox import MemoryOutbox
from tollkeeper.domain.errors import Conflict, IdempotencyConflict, InvalidRequest
from tollkeeper.domain.outbox import Delivery, DeliveryState, Message

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)


class LosesTheDueTime(MemoryOutbox):
    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        return await super().add([evolve(each, due_at=each.created_at) for each in messages])


class AnswersInItsOwnOrder(MemoryOutbox):
    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        added = await super().add(messages)
        return tuple(sorted(added, key=lambda each: each.message.created_at))


class OneByOne(MemoryOutbox):
    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        return tuple([(await super(OneByOne, self).add([each]))[0] for each in messages])


class TornAddition(MemoryOutbox):
    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        added: list[Delivery] = []
        for each in messages:
            added += await super().add([each])
            await asyncio.sleep(0)
        return tuple(added)


class LastPayloadWins(MemoryOutbox):
    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        try:
            return await super().add(messages)
        except IdempotencyConflict:
            return tuple(Delivery(each) for each in messages)


class AddsEachKeyAnew(MemoryOutbox):
    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        keyed = [evolve(each, idempotency_key=each.id) for each in messages]
        known = {each.id for each in messages} & self.by_id.keys()
        return await super().add([each for each in keyed if each.id not in known])


class RacyAddition(MemoryOutbox):
    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        before = dict(self.id_of_key)
        await asyncio.sleep(0)
        self.id_of_key.clear()
        self.id_of_key.update(before)
        return await super().add(messages)


class TakesATakenId(MemoryOutbox):
    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        try:
            return await super().add(messages)
        except IdempotencyConflict:
            raise
        except Conflict:
            return tuple(self._put(Delivery(each)) for each in messages)


class KeysOfAnyAccount(MemoryOutbox):
    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        keys = {key for _, _, key in self.id_of_key}
        for each in messages:
            if each.idempotency_key in keys:
                raise IdempotencyConflict("used")
            keys.add(each.idempotency_key)
        return await super().add(messages)


class LendsBeforeItIsDue(MemoryOutbox):
    async def claim(self, *, at: datetime, **asked: Any) -> tuple[Delivery, ...]:
        lent = await super().claim(at=at + MOMENT, **asked)
        return tuple(self._put(evolve(each, due_at=each.due_at - MOMENT)) for each in lent)


class LendsAfterItIsDue(MemoryOutbox):
    async def claim(self, *, at: datetime, **asked: Any) -> tuple[Delivery, ...]:
        return await super().claim(at=at - MOMENT, **asked)


class LendsForADay(MemoryOutbox):
    async def claim(
        self, *, topic: str, at: datetime, lease: timedelta, limit: int = 1
    ) -> tuple[Delivery, ...]:
        lent = await super().claim(topic=topic, at=at, lease=lease, limit=limit)
        for each in lent:
            self._put(evolve(each, due_at=at + DAY))
        return lent


class RacyClaim(MemoryOutbox):
    async def claim(self, **asked: Any) -> tuple[Delivery, ...]:
        before = dict(self.by_id)
        await asyncio.sleep(0)
        self.by_id.update(before)
        return await super().claim(**asked)


class YoungestFirst(MemoryOutbox):
    async def claim(self, *, limit: int = 1, **asked: Any) -> tuple[Delivery, ...]:
        before = dict(self.by_id)
        due = await super().claim(limit=1000, **asked)
        self.by_id.update(before)
        chosen = due[::-1][:limit]
        return tuple(map(self._put, chosen))


class NoLimit(MemoryOutbox):
    async def claim(self, *, limit: int = 1, **asked: Any) -> tuple[Delivery, ...]:
        return await super().claim(limit=max(limit, 1), **asked)


class TopicsOfAnyCase(MemoryOutbox):
    async def add(self, messages: Sequence[Message]) -> tuple[Delivery, ...]:
        return await super().add([evolve(each, topic=each.topic.lower()) for each in messages])

    async def claim(self, *, topic: str, **asked: Any) -> tuple[Delivery, ...]:
        return await super().claim(topic=topic.lower(), **asked)


class AnyLease(MemoryOutbox):
    async def claim(self, *, lease: timedelta, **asked: Any) -> tuple[Delivery, ...]:
        try:
            return await super().claim(lease=lease, **asked)
        except InvalidRequest:
            return await super().claim(lease=MOMENT * 1000, **asked)


class OneNumberForAllClaims(MemoryOutbox):
    def _put(self, delivery: Delivery) -> Delivery:
        return super()._put(evolve(delivery, claims=min(delivery.claims, 1)))


class ClaimsAreNoTries(MemoryOutbox):
    async def claim(self, **asked: Any) -> tuple[Delivery, ...]:
        lent = await super().claim(**asked)
        return tuple(self._put(evolve(each, tries=each.tries - 1)) for each in lent)

    async def failed(self, delivery: Delivery, **said: Any) -> Delivery:
        known = self._known(delivery.message.id)
        if known.claims == delivery.claims:
            self._put(evolve(known, tries=known.tries + 1))
        return await super().failed(delivery, **said)


class NeverDies(MemoryOutbox):
    async def claim(self, **asked: Any) -> tuple[Delivery, ...]:
        for each in self.by_id.values():
            if each.tries >= each.message.max_tries:
                self.by_id[each.message.id] = evolve(each, tries=0)
        return await super().claim(**asked)


class TheDeadTakeAPlace(MemoryOutbox):
    async def claim(self, *, at: datetime, limit: int = 1, **asked: Any) -> tuple[Delivery, ...]:
        def dead() -> int:
            return sum(each.state is DeliveryState.DEAD for each in self.by_id.values())

        before, dead_before = dict(self.by_id), dead()
        lent = await super().claim(at=at, limit=limit, **asked)
        died = dead() - dead_before
        for each in lent[max(limit - died, 0) :]:
            self._put(before[each.message.id])
        return lent[: max(limit - died, 0)]
