"""A usage log in the memory of the process."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from attrs import evolve, field, frozen

from tollkeeper.adapters.memory.database import MemoryDatabase, distinct
from tollkeeper.domain.errors import IdempotencyConflict, InvalidRequest, NotFound
from tollkeeper.domain.meters import Provenance
from tollkeeper.domain.usage import UsageEvent, UsageTotal


@frozen
class MemoryUsageLog:
    """Keeps usage events in *database*."""

    database: MemoryDatabase = field(factory=MemoryDatabase)

    async def record(self, events: Sequence[UsageEvent]) -> None:
        """Append events that charge nothing."""
        if any(event.charge for event in events):
            raise InvalidRequest("only a capture may record what is charged")
        new = distinct(events)
        known = {
            event_id: self.database.event(event_id) or event for event_id, event in new.items()
        }
        if not all(event.same_measurement(known[event_id]) for event_id, event in new.items()):
            raise IdempotencyConflict("the event is logged with another measurement")
        for event in known.values():
            self.database.log(event)

    async def events(
        self,
        *,
        account: str,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[UsageEvent, ...]:
        """Return a page of the account's events."""
        found = sorted(self._between(account, since, until), key=_position)
        if after is not None:
            last = self.database.usage.get(account, {}).get(after)
            if last is None:
                raise NotFound("no such usage event", code="event_not_found")
            found = [event for event in found if _position(event) > _position(last)]
        return tuple(found[:limit])

    async def totals(
        self, *, account: str, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[UsageTotal, ...]:
        """Sum the account's events."""
        totals: dict[tuple[str, ...], UsageTotal] = {}
        for event in self._between(account, since, until):
            kind = (event.operation, event.model, str(event.meter), event.charge.currency)
            estimated = event.quantity if event.provenance is Provenance.ESTIMATED else 0
            total = totals.get(kind)
            totals[kind] = (
                UsageTotal(
                    operation=event.operation,
                    model=event.model,
                    meter=event.meter,
                    events=1,
                    quantity=event.quantity,
                    estimated=estimated,
                    charge=event.charge,
                )
                if total is None
                else evolve(
                    total,
                    events=total.events + 1,
                    quantity=total.quantity + event.quantity,
                    estimated=total.estimated + estimated,
                    charge=total.charge + event.charge,
                )
            )
        return tuple(totals[kind] for kind in sorted(totals))

    def _between(
        self, account: str, since: datetime | None, until: datetime | None
    ) -> Iterator[UsageEvent]:
        for event in self.database.usage.get(account, {}).values():
            if (since is None or since <= event.occurred_at) and (
                until is None or event.occurred_at < until
            ):
                yield event


def _position(event: UsageEvent) -> tuple[datetime, str]:
    return event.occurred_at, event.id
