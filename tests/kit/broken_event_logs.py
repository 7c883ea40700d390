"""Logs of events, each with one fault."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from attrs import evolve

from tollkeeper.adapters.memory.event_log import MemoryEventLog, _Log
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.event_logs import (
    DEFAULT_LIMITS,
    EventId,
    EventsLost,
    LogEnded,
    LoggedEvent,
    LogLimits,
    LogPage,
    checked_events,
)

NO_WAIT = timedelta(0)


class Reading(MemoryEventLog):
    """Where faults of reading are put."""

    async def read(
        self,
        log: str,
        *,
        after: str | None = None,
        limit: int = 100,
        wait: timedelta = NO_WAIT,
    ) -> LogPage:
        return await super().read(log, after=after, limit=limit, wait=wait)


class Racy(MemoryEventLog):
    async def append(
        self, log: str, events: Sequence[bytes], *, limits: LogLimits = DEFAULT_LIMITS
    ) -> tuple[LoggedEvent, ...]:
        found: list[LoggedEvent] = []
        for event in checked_events(events):
            found += await super().append(log, [event], limits=limits)
            await asyncio.sleep(0)
        return tuple(found)


class NewestFirst(MemoryEventLog):
    def _read(self, log: str, place: EventId | None, limit: int) -> LogPage:
        page = super()._read(log, place, limit)
        return evolve(page, events=page.events[::-1])


class ReadsOnce(MemoryEventLog):
    def _read(self, log: str, place: EventId | None, limit: int) -> LogPage:
        page = super()._read(log, place, limit)
        if page.events:
            del self._logs[log]
        return page


class ResumesAtTheEvent(MemoryEventLog):
    def _read(self, log: str, place: EventId | None, limit: int) -> LogPage:
        if place is not None:
            place = evolve(place, number=max(0, place.number - 1))
        return super()._read(log, place, limit)


class OneIdForAll(MemoryEventLog):
    async def append(
        self, log: str, events: Sequence[bytes], *, limits: LogLimits = DEFAULT_LIMITS
    ) -> tuple[LoggedEvent, ...]:
        found = await super().append(log, events, limits=limits)
        return tuple(evolve(event, id=found[0].id) for event in found)


class TextOnly(MemoryEventLog):
    async def append(
        self, log: str, events: Sequence[bytes], *, limits: LogLimits = DEFAULT_LIMITS
    ) -> tuple[LoggedEvent, ...]:
        sound = [e.decode(errors="replace").strip().encode() for e in checked_events(events)]
        return await super().append(log, sound, limits=limits)


class PassesOverWhatIsLost(MemoryEventLog):
    def _read(self, log: str, place: EventId | None, limit: int) -> LogPage:
        try:
            return super()._read(log, place, limit)
        except EventsLost as lost:
            if lost.oldest is None:
                return LogPage()
            life, _, number = lost.oldest.split("-")
            return super()._read(log, EventId(life, 0, int(number)), limit)


class DoesNotNameTheOldest(MemoryEventLog):
    def _read(self, log: str, place: EventId | None, limit: int) -> LogPage:
        try:
            return super()._read(log, place, limit)
        except EventsLost as lost:
            lost.oldest = None
            raise


class NeverTrims(MemoryEventLog):
    def _trim(self, kept: _Log, now: float) -> None:
        pass


class TrimsByLengthAlone(MemoryEventLog):
    def _trim(self, kept: _Log, now: float) -> None:
        super()._trim(kept, float("-inf"))


class KeepsOneLess(MemoryEventLog):
    def _trim(self, kept: _Log, now: float) -> None:
        super()._trim(kept, now)
        if len(kept.events) == kept.limits.length:
            kept.events.popleft()


class ForgetsTheNumbersToo(MemoryEventLog):
    def _found(self, log: str, now: float) -> _Log | None:
        kept = super()._found(log, now)
        if kept is not None and kept.touched + kept.limits.age.total_seconds() <= now:
            del self._logs[log]
            return None
        return kept


class ReadersKeepNothing(MemoryEventLog):
    def _read(self, log: str, place: EventId | None, limit: int) -> LogPage:
        touched = {name: kept.touched for name, kept in self._logs.items()}
        try:
            return super()._read(log, place, limit)
        finally:
            if log in self._logs:
                self._logs[log].touched = touched[log]


class OneLifeForAll(MemoryEventLog):
    def _made(self, log: str, limits: LogLimits, now: float) -> _Log:
        self._lives = 0
        return super()._made(log, limits, now)


class DoesNotWait(Reading):
    async def read(
        self,
        log: str,
        *,
        after: str | None = None,
        limit: int = 100,
        wait: timedelta = NO_WAIT,
    ) -> LogPage:
        return await super().read(log, after=after, limit=limit)


class WaitsForAFullPage(Reading):
    async def read(
        self,
        log: str,
        *,
        after: str | None = None,
        limit: int = 100,
        wait: timedelta = NO_WAIT,
    ) -> LogPage:
        page = await super().read(log, after=after, limit=limit, wait=wait)
        if len(page.events) < limit and not page.ended:
            await asyncio.sleep(wait.total_seconds())
        return page


class WakesOneOnly(MemoryEventLog):
    def _wake(self, log: str) -> None:
        for loop, event in list(self._waiters.get(log, ()))[:1]:
            loop.call_soon_threadsafe(event.set)


class WhoLeavesSpoilsIt(Reading):
    async def read(
        self,
        log: str,
        *,
        after: str | None = None,
        limit: int = 100,
        wait: timedelta = NO_WAIT,
    ) -> LogPage:
        try:
            return await super().read(log, after=after, limit=limit, wait=wait)
        except asyncio.CancelledError:
            self._waiters.clear()
            raise


class EndWakesNobody(MemoryEventLog):
    async def end(self, log: str, *, limits: LogLimits = DEFAULT_LIMITS) -> None:
        waiters, self._waiters = self._waiters, {}
        await super().end(log, limits=limits)
        self._waiters = waiters


class EndsBeforeTheLastEvent(MemoryEventLog):
    def _read(self, log: str, place: EventId | None, limit: int) -> LogPage:
        page = super()._read(log, place, limit)
        return evolve(page, ended=log in self._logs and self._logs[log].ended)


class EndsOneReadingLate(MemoryEventLog):
    def _read(self, log: str, place: EventId | None, limit: int) -> LogPage:
        page = super()._read(log, place, limit)
        return evolve(page, ended=page.ended and not page.events)


class AppendsAfterTheEnd(MemoryEventLog):
    def _made(self, log: str, limits: LogLimits, now: float) -> _Log:
        kept = super()._made(log, limits, now)
        kept.ended = False
        return kept


class EndsOnce(MemoryEventLog):
    async def end(self, log: str, *, limits: LogLimits = DEFAULT_LIMITS) -> None:
        if log in self._logs and self._logs[log].ended:
            raise LogEnded("it has ended already")
        await super().end(log, limits=limits)


class EndsOnlyWhatIsThere(MemoryEventLog):
    async def end(self, log: str, *, limits: LogLimits = DEFAULT_LIMITS) -> None:
        if log in self._logs:
            await super().end(log, limits=limits)


class ShortNames(MemoryEventLog):
    def _made(self, log: str, limits: LogLimits, now: float) -> _Log:
        return super()._made(log[:41], limits, now)

    def _read(self, log: str, place: EventId | None, limit: int) -> LogPage:
        return super()._read(log[:41], place, limit)


class AppendsBeforeItChecks(MemoryEventLog):
    async def append(
        self, log: str, events: Sequence[bytes], *, limits: LogLimits = DEFAULT_LIMITS
    ) -> tuple[LoggedEvent, ...]:
        if isinstance(events, list):
            for event in events[:-1]:
                await super().append(log, [event], limits=limits)
            events = events[-1:]
        return await super().append(log, events, limits=limits)


class TakesAnyId(Reading):
    async def read(
        self,
        log: str,
        *,
        after: str | None = None,
        limit: int = 100,
        wait: timedelta = NO_WAIT,
    ) -> LogPage:
        with suppress(InvalidRequest):
            return await super().read(log, after=after, limit=limit, wait=wait)
        return LogPage()
