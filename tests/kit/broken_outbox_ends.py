"""Outboxes, each with one fault in what becomes of a claimed message."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from attrs import evolve

from tollkeeper.adapters.memory.outbox import MemoryOutbox
from tollkeeper.domain.errors import NotFound
from tollkeeper.domain.outbox import Delivery, DeliveryState


class DoneOnlyWithTheClaim(MemoryOutbox):
    async def done(self, deliveries: Sequence[Delivery], *, at: datetime) -> None:
        held = [
            each
            for each in deliveries
            if (known := self.by_id.get(each.message.id)) and known.claims == each.claims
        ]
        await super().done(held, at=at)


class TheDeadStayDead(MemoryOutbox):
    async def done(self, deliveries: Sequence[Delivery], *, at: datetime) -> None:
        dead = {key for key, each in self.by_id.items() if each.state is DeliveryState.DEAD}
        await super().done([each for each in deliveries if each.message.id not in dead], at=at)


class DoneForgetsAtOnce(MemoryOutbox):
    async def done(self, deliveries: Sequence[Delivery], *, at: datetime) -> None:
        for each in deliveries:
            self.by_id.pop(each.message.id, None)


class DoneIsMovedByRepeating(MemoryOutbox):
    async def done(self, deliveries: Sequence[Delivery], *, at: datetime) -> None:
        await super().done(deliveries, at=at)
        for each in deliveries:
            if each.message.id in self.by_id:
                self._put(evolve(self.by_id[each.message.id], ended_at=at))


class DoneStopsAtTheUnknown(MemoryOutbox):
    async def done(self, deliveries: Sequence[Delivery], *, at: datetime) -> None:
        for each in deliveries:
            self._known(each.message.id)
        await super().done(deliveries, at=at)


class FailsWithoutTheClaim(MemoryOutbox):
    async def failed(self, delivery: Delivery, **said: Any) -> Delivery:
        return await super().failed(self._known(delivery.message.id), **said)


class FailsWhatIsDone(MemoryOutbox):
    async def failed(self, delivery: Delivery, **said: Any) -> Delivery:
        known = self._known(delivery.message.id)
        self._put(evolve(known, state=DeliveryState.PENDING, ended_at=None))
        return await super().failed(delivery, **said)


class RetriesAtOnce(MemoryOutbox):
    async def failed(
        self, delivery: Delivery, *, at: datetime, retry_at: datetime | None, **said: Any
    ) -> Delivery:
        retry_at = None if retry_at is None else at
        return await super().failed(delivery, at=at, retry_at=retry_at, **said)


class NeverGivesUp(MemoryOutbox):
    async def failed(
        self, delivery: Delivery, *, at: datetime, retry_at: datetime | None, **said: Any
    ) -> Delivery:
        return await super().failed(delivery, at=at, retry_at=retry_at or at, **said)


class SilentFailure(MemoryOutbox):
    async def failed(self, delivery: Delivery, *, error: str, **said: Any) -> Delivery:
        return await super().failed(delivery, error="", **said)


class EndlessErrors(MemoryOutbox):
    async def failed(self, delivery: Delivery, *, error: str, **said: Any) -> Delivery:
        known = await super().failed(delivery, error=error, **said)
        return self._put(evolve(known, error=error))


class FailsTheUnknown(MemoryOutbox):
    async def failed(self, delivery: Delivery, **said: Any) -> Delivery:
        try:
            return await super().failed(delivery, **said)
        except NotFound:
            return delivery


class RevivesAnything(MemoryOutbox):
    async def revive(self, message_id: str, *, account: str, at: datetime) -> Delivery:
        self._put(evolve(self._known(message_id, account), state=DeliveryState.DEAD))
        return await super().revive(message_id, account=account, at=at)


class RevivesForAnyone(MemoryOutbox):
    async def revive(self, message_id: str, *, account: str, at: datetime) -> Delivery:
        whose = self._known(message_id).message.account
        return await super().revive(message_id, account=whose, at=at)


class RevivesForOneTry(MemoryOutbox):
    async def revive(self, message_id: str, *, account: str, at: datetime) -> Delivery:
        known = await super().revive(message_id, account=account, at=at)
        return self._put(evolve(known, tries=known.message.max_tries - 1))


class RevivesWithTheOldClaim(MemoryOutbox):
    async def revive(self, message_id: str, *, account: str, at: datetime) -> Delivery:
        known = await super().revive(message_id, account=account, at=at)
        return self._put(evolve(known, claims=known.claims - 1))


class PagesOfEveryone(MemoryOutbox):
    async def messages(self, *, account: str | None = None, **asked: Any) -> tuple[Delivery, ...]:
        return await super().messages(**asked)


class PagesOffByOne(MemoryOutbox):
    async def messages(self, *, limit: int = 100, **asked: Any) -> tuple[Delivery, ...]:
        return await super().messages(limit=limit + 1, **asked)


class UnknownPageIsTheFirst(MemoryOutbox):
    async def messages(self, **asked: Any) -> tuple[Delivery, ...]:
        try:
            return await super().messages(**asked)
        except NotFound:
            return await super().messages(**{**asked, "after": None})


class TakesTheLocalTime(MemoryOutbox):
    async def done(self, deliveries: Sequence[Delivery], *, at: datetime) -> None:
        await super().done(deliveries, at=at.astimezone())
