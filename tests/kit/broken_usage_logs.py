"""Usage logs with one fault each, for the usage log's suite to find."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve

from tollkeeper.adapters.memory.database import distinct
from tollkeeper.adapters.memory.usage_log import MemoryUsageLog
from tollkeeper.domain.errors import IdempotencyConflict, NotFound
from tollkeeper.domain.meters import Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent, UsageTotal


class LastWordWins(MemoryUsageLog):
    """Lets a later measurement replace an earlier one."""

    async def record(self, events: Sequence[UsageEvent]) -> None:
        for event in events:
            self.database.log(event)


class OneByOne(MemoryUsageLog):
    """Keeps what came before the event that is refused."""

    async def record(self, events: Sequence[UsageEvent]) -> None:
        for event in events:
            await super().record([event])


class TornRecord(MemoryUsageLog):
    """Takes a moment for each event."""

    async def record(self, events: Sequence[UsageEvent]) -> None:
        for event in distinct(events).values():
            await asyncio.sleep(0)
            await super().record([event])


class RacyRecord(MemoryUsageLog):
    """Looks for the ids, and writes a moment later."""

    async def record(self, events: Sequence[UsageEvent]) -> None:
        for event in events:
            known = self.database.event(event.id)
            if known is not None and not event.same_measurement(known):
                raise IdempotencyConflict("measured otherwise")
        await asyncio.sleep(0)
        for event in events:
            self.database.log(event)


class ChargesWithoutCapture(MemoryUsageLog):
    """Records charges that no ledger knows of."""

    async def record(self, events: Sequence[UsageEvent]) -> None:
        for event in events:
            self.database.log(event)


class RefusalsSwallowed(MemoryUsageLog):
    """Says that all went well, whatever happened."""

    async def record(self, events: Sequence[UsageEvent]) -> None:
        try:
            await super().record(events)
        except IdempotencyConflict:
            return


class UntilIncluded(MemoryUsageLog):
    """Counts the first moment of the next period too."""

    def _between(
        self, account: str, since: datetime | None, until: datetime | None
    ) -> Iterator[UsageEvent]:
        later = None if until is None else until + timedelta(microseconds=1)
        return super()._between(account, since, later)


class SinceLeftOut(MemoryUsageLog):
    """Leaves out the first moment of the period."""

    def _between(
        self, account: str, since: datetime | None, until: datetime | None
    ) -> Iterator[UsageEvent]:
        later = None if since is None else since + timedelta(microseconds=1)
        return super()._between(account, later, until)


class EventsOfEveryone(MemoryUsageLog):
    """Shows every account's events."""

    def _between(
        self, account: str, since: datetime | None, until: datetime | None
    ) -> Iterator[UsageEvent]:
        for each in list(self.database.usage):
            yield from super()._between(each, since, until)


class EventPagesByTimeAlone(MemoryUsageLog):
    """Passes over events of the same moment as the last of the page before."""

    async def events(self, *, account: str, after: str | None = None, **call: Any) -> Any:
        page = await super().events(account=account, after=after, **call)
        last = None if after is None else self.database.usage[account][after].occurred_at
        return tuple(event for event in page if last is None or event.occurred_at > last)


class EventPagesOffByOne(MemoryUsageLog):
    """Gives one event too few."""

    async def events(self, *, limit: int = 100, **call: Any) -> Any:
        return await super().events(limit=limit - 1, **call)


class UnknownEventIsTheFirst(MemoryUsageLog):
    """Begins anew where it does not know the page before."""

    async def events(self, *, after: str | None = None, **call: Any) -> Any:
        try:
            return await super().events(after=after, **call)
        except NotFound:
            return await super().events(**call)


class EstimatesHidden(MemoryUsageLog):
    """Passes estimates for what the provider reported."""

    async def totals(self, **call: Any) -> tuple[UsageTotal, ...]:
        return tuple(evolve(total, estimated=0) for total in await super().totals(**call))


class TotalsInAnyOrder(MemoryUsageLog):
    """Gives totals as they come."""

    async def totals(self, **call: Any) -> tuple[UsageTotal, ...]:
        return (await super().totals(**call))[::-1]


class TotalsCutAt64Bits(MemoryUsageLog):
    """Loses what does not fit a column."""

    async def totals(self, **call: Any) -> tuple[UsageTotal, ...]:
        totals = await super().totals(**call)
        return tuple(evolve(total, quantity=total.quantity % 2**63) for total in totals)


class EverythingReported(MemoryUsageLog):
    """Keeps an event, but for where its quantity is from, and the currency of its cost."""

    async def record(self, events: Sequence[UsageEvent]) -> None:
        await super().record(
            [
                evolve(
                    event,
                    provenance=Provenance.REPORTED,
                    cost=Money(event.cost.nanos, event.charge.currency),
                )
                for event in events
            ]
        )


class AlwaysTheFirstAttempt(MemoryUsageLog):
    """Forgets which request of the call was measured."""

    async def events(self, **call: Any) -> tuple[UsageEvent, ...]:
        return tuple(evolve(event, attempt=1) for event in await super().events(**call))
