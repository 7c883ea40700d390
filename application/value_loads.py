"""Loads: each value by one caller at a time, in this process and in others."""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, Self

from attrs import define, field, frozen

from tollkeeper.application.near_values import NearValues
from tollkeeper.domain.errors import Conflict, InvalidRequest, PortError
from tollkeeper.domain.loaded_values import LoadedValue
from tollkeeper.ports.cache import Cache
from tollkeeper.ports.clock import Clock

Load = Callable[[], Awaitable[bytes | None]]
_STALE = 5
"""How many times its life a value may be handed out, old, while somebody loads a new one."""
_JITTER = 0.1
_POLL = 0.02, 0.05


@frozen
class Loading:
    """What to load: under which names it lies, how, and how long it is fresh.

    *negative_ttl* is for what *load* does not find.
    """

    name: str
    lock: str
    load: Load
    ttl: timedelta
    negative_ttl: timedelta


@define(eq=False)
class ValueLoads:
    """The loads of one event loop; closing it ends those that nobody waits for."""

    cache: Cache
    clock: Clock
    longest_load: timedelta
    chance: Callable[[], float]
    near: NearValues
    _flights: "dict[str, asyncio.Task[LoadedValue]]" = field(factory=dict)
    """What callers may join, by name."""
    _running: "set[asyncio.Task[LoadedValue]]" = field(factory=set)
    _closed: bool = False

    async def __aenter__(self) -> Self:
        self._closed = False
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        flights = list(self._running)
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def get(self, asked: Loading) -> bytes | None:
        """Return the value that is kept, or load it.

        Raises:
            Conflict: it is closed (code ``closed``).
            Exception: what the load raised, where there is nothing to hand out.
        """
        if self._closed:
            raise _closed()
        kept = self.near.get(asked.name, now=self.clock.monotonic())
        if kept is None:
            kept = await self._kept(asked.name)
        if kept is None:
            return (await self._joined(asked)).value
        due = kept.is_due(self.clock.now(), chance=self.chance())
        if due and asked.name not in self._flights and not self._closed:
            self._start(asked.name, self._refreshed(asked, kept, _token()))
        return kept.value

    async def forget(self, name: str, lock: str) -> None:
        """Have the next caller load anew, also where a load is under way: it may be of before.

        Raises:
            PortError: the cache is away.
        """
        self._flights.pop(name, None)
        self.near.forget(name)
        # First the lock: whoever loads keeps nothing without it.
        await self.cache.delete(lock)
        await self.cache.delete(name)
        self.near.forget(name)  # somebody may have read it meanwhile

    async def _joined(self, asked: Loading) -> LoadedValue:
        flight = self._flights.get(asked.name)
        if flight is None:
            if self._closed:
                raise _closed()
            flight = self._start(asked.name, self._filled(asked, _token()))
        try:
            # Whoever is cancelled leaves the others their load.
            return await asyncio.shield(flight)
        except asyncio.CancelledError:
            if flight.cancelled() and self._closed:
                raise _closed() from None
            raise

    def _start(
        self, name: str, work: Coroutine[Any, Any, LoadedValue]
    ) -> "asyncio.Task[LoadedValue]":
        flight = asyncio.get_running_loop().create_task(work)
        self._flights[name] = flight
        self._running.add(flight)

        def ended(flight: "asyncio.Task[LoadedValue]") -> None:
            self._running.discard(flight)
            if self._flights.get(name) is flight:
                del self._flights[name]
            if not flight.cancelled():
                flight.exception()  # seen, even if everybody who waited has left

        flight.add_done_callback(ended)
        return flight

    async def _filled(self, asked: Loading, token: bytes) -> LoadedValue:
        """Load what nobody has, or wait for the process that does."""
        while not await self._locked(asked, token):
            await asyncio.sleep(random.uniform(*_POLL))  # noqa: S311 - it spreads callers, and guards nothing
            kept = await self._kept(asked.name)
            if kept is not None:
                return kept
        return await self._loaded(asked, token)

    async def _refreshed(self, asked: Loading, old: LoadedValue, token: bytes) -> LoadedValue:
        """Load a new value while the *old* one serves, unless another process does."""
        if not await self._locked(asked, token):
            return old
        return await self._loaded(asked, token, old=old)

    async def _loaded(
        self, asked: Loading, token: bytes, *, old: LoadedValue | None = None
    ) -> LoadedValue:
        # Somebody may have finished between our look and our lock.
        now = await self._kept(asked.name)
        if now is not None and (old is None or now.fresh_until != old.fresh_until):
            await self._unlock(asked, token)
            return now
        began = self.clock.monotonic()
        try:
            value = await asked.load()
        except BaseException:
            # With an old value to serve there is no hurry: others try again in a moment.
            await self._unlock(asked, token, after=None if old is None else asked.ttl / 10)
            raise
        took = timedelta(seconds=self.clock.monotonic() - began)
        life = asked.negative_ttl if value is None else asked.ttl
        life *= 1 + _JITTER * (2 * self.chance() - 1)
        loaded = LoadedValue(value, self.clock.now() + life, took, life)
        if self._flights.get(asked.name) is asyncio.current_task():
            self.near.keep(asked.name, loaded, now=self.clock.monotonic())
        if await self._may_keep(asked, token, took, now):
            # Where the cache is away, or the value too large for it, it is the caller's still.
            with suppress(PortError, InvalidRequest):
                await self.cache.set(asked.name, loaded.written(), ttl=_STALE * life)
            await self._unlock(asked, token)
        return loaded

    async def _kept(self, name: str) -> LoadedValue | None:
        try:
            kept = await self.cache.get(name)
        except PortError:
            return None
        value = None if kept is None else LoadedValue.read(kept)
        if value is not None:
            self.near.keep(name, value, now=self.clock.monotonic())
        return value

    async def _locked(self, asked: Loading, token: bytes) -> bool:
        try:
            return await self.cache.add(asked.lock, token, ttl=self.longest_load)
        except PortError:
            return True  # to load once too often is better than never

    async def _holds(self, asked: Loading, token: bytes) -> bool:
        """Whether the lock is ours still, and neither ran out nor went with a forgotten value."""
        try:
            return await self.cache.get(asked.lock) == token
        except PortError:
            return False

    async def _may_keep(
        self, asked: Loading, token: bytes, took: timedelta, seen: LoadedValue | None
    ) -> bool:
        try:
            holder = await self.cache.get(asked.lock)
        except PortError:
            return False
        if holder is None and took >= self.longest_load:
            # Nobody took over from a load that outlived its lock: better late than never.
            return await self._kept(asked.name) == seen
        return holder == token

    async def _unlock(
        self, asked: Loading, token: bytes, *, after: timedelta | None = None
    ) -> None:
        if not await self._holds(asked, token):
            return  # it is another's by now
        with suppress(PortError):  # it runs out by itself
            if after is None:
                await self.cache.delete(asked.lock)
            else:
                await self.cache.expire(asked.lock, ttl=min(after, self.longest_load))


def _token() -> bytes:
    return uuid.uuid4().bytes


def _closed() -> Conflict:
    return Conflict("the cached values are closed", code="closed")
