"""Logs of events in the memory of the process."""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Self

from attrs import define, field

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.event_logs import (
    DEFAULT_LIMITS,
    EventId,
    LoggedEvent,
    LogLimits,
    LogPage,
    checked_events,
    checked_log_name,
    checked_reading,
    ended_log,
    lost_events,
    read_event_id,
)
from tollkeeper.ports.clock import Clock

_SWEEP = 1000
_Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Event]


@define(eq=False)
class _Log:
    """One log: *events* with the moments they came, after *last* in number."""

    life: str
    limits: LogLimits
    touched: float
    last: int = 0
    ended: bool = False
    events: deque[tuple[float, LoggedEvent]] = field(factory=deque)


class MemoryEventLog:
    """Logs of this process alone; several event loops and threads may share them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._logs: dict[str, _Log] = {}
        self._waiters: dict[str, set[_Waiter]] = {}
        self._lives = 0
        self._until_sweep = _SWEEP
        self._lock = threading.Lock()

    @classmethod
    def from_url(cls, url: str, *, clock: Clock) -> Self:
        """Make logs of its own from ``memory://``.

        Raises:
            ConfigurationError: *url* says anything more.
        """
        if url != "memory://":
            raise ConfigurationError(
                "the memory event log takes no path and no options; write memory://"
            )
        return cls(clock)

    async def append(
        self, log: str, events: Sequence[bytes], *, limits: LogLimits = DEFAULT_LIMITS
    ) -> tuple[LoggedEvent, ...]:
        """Append *events*, all or none."""
        checked_log_name(log)
        pieces = checked_events(events)
        with self._lock:
            now = self._clock.monotonic()
            kept = self._made(log, limits, now)
            if kept.ended:
                raise ended_log()
            kept.touched = now
            appended = []
            for piece in pieces:
                kept.last += 1
                name = EventId(kept.life, int(now * 1000), kept.last)
                appended.append(LoggedEvent(str(name), kept.last, piece))
            kept.events.extend((now, event) for event in appended)
            self._trim(kept, now)
            self._wake(log)
        return tuple(appended)

    async def end(self, log: str, *, limits: LogLimits = DEFAULT_LIMITS) -> None:
        """Say that nothing more comes."""
        checked_log_name(log)
        with self._lock:
            now = self._clock.monotonic()
            kept = self._made(log, limits, now)
            if not kept.ended:
                kept.ended, kept.touched = True, now
                self._wake(log)

    async def read(
        self,
        log: str,
        *,
        after: str | None = None,
        limit: int = 100,
        wait: timedelta = timedelta(0),
    ) -> LogPage:
        """Return what comes after *after*."""
        checked_log_name(log)
        checked_reading(limit=limit, wait=wait)
        place = None if after is None else read_event_id(after)
        loop = asyncio.get_running_loop()
        until = loop.time() + wait.total_seconds()
        waiter = (loop, asyncio.Event())
        while True:
            with self._lock:
                page = self._read(log, place, limit)
                left = until - loop.time()
                if page.events or page.ended or left <= 0:
                    return page
                waiter[1].clear()
                self._waiters.setdefault(log, set()).add(waiter)
            try:
                async with asyncio.timeout(left):
                    await waiter[1].wait()
            except TimeoutError:
                continue
            finally:
                self._forget(log, waiter)

    def _read(self, log: str, place: EventId | None, limit: int) -> LogPage:
        now = self._clock.monotonic()
        kept = self._found(log, now)
        if kept is None:
            if place is not None:
                raise lost_events(None)
            return LogPage()
        self._trim(kept, now)
        first = kept.last - len(kept.events) + 1
        number = 0 if place is None else place.number
        other = place is not None and place.life != kept.life
        if other or not first - 1 <= number <= kept.last:
            raise lost_events(EventId(kept.life, 0, first - 1))
        if number == kept.last and not kept.ended:
            kept.touched = max(kept.touched, now - kept.limits.age.total_seconds())
        skipped = number - first + 1
        events = tuple(
            kept.events[at][1] for at in range(skipped, min(skipped + limit, len(kept.events)))
        )
        return LogPage(events, kept.ended and number + len(events) == kept.last)

    def _made(self, log: str, limits: LogLimits, now: float) -> _Log:
        kept = self._found(log, now)
        if kept is None:
            self._sweep(now)
            self._lives += 1
            kept = self._logs[log] = _Log(f"{self._lives:x}", limits, now)
        kept.limits = limits
        return kept

    def _found(self, log: str, now: float) -> _Log | None:
        kept = self._logs.get(log)
        if kept is not None and _is_over(kept, now):
            del self._logs[log]
            return None
        return kept

    def _sweep(self, now: float) -> None:
        """Forget what nobody will ask for, now and then: seldom enough to cost nothing."""
        self._until_sweep -= 1
        if self._until_sweep <= 0:
            for name in [name for name, log in self._logs.items() if _is_over(log, now)]:
                del self._logs[name]
            self._until_sweep = max(_SWEEP, len(self._logs))

    def _trim(self, kept: _Log, now: float) -> None:
        oldest = now - kept.limits.age.total_seconds()
        events = kept.events
        while events and (len(events) > kept.limits.length or events[0][0] <= oldest):
            events.popleft()

    def _wake(self, log: str) -> None:
        for loop, event in self._waiters.get(log, ()):
            with suppress(RuntimeError):  # its loop was closed under it
                loop.call_soon_threadsafe(event.set)

    def _forget(self, log: str, waiter: _Waiter) -> None:
        with self._lock:
            waiters = self._waiters.get(log, set())
            waiters.discard(waiter)
            if not waiters:
                self._waiters.pop(log, None)


def _is_over(log: _Log, now: float) -> bool:
    lives = log.limits.age.total_seconds() * (1 if log.ended else 2)
    return log.touched + lives <= now
