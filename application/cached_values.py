"""Values of hosts in the cache: set, counted, and loaded once for many who ask."""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Self

from attrs import define, field

from tollkeeper.application.near_values import NearValues
from tollkeeper.application.value_loads import Load, Loading, ValueLoads
from tollkeeper.domain.cache_entries import (
    checked_cache_key,
    checked_cache_keys,
    checked_cache_ttl,
    from_json,
    to_json,
)
from tollkeeper.domain.checks import checked_account
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.ports.cache import Cache
from tollkeeper.ports.clock import Clock

LONGEST_KEY = 300
"""A key's characters: the cache's own, less what is put before it."""
_LONGEST_LOAD = timedelta(seconds=30)
_NEAR_BYTES = 16 << 20


@define(eq=False)
class CachedValues:
    """A host's own values in the cache: bytes or JSON, never pickle, each with a time to live.

    They may be forgotten at any time. An outage is a PortError and never looks like absence; only
    :meth:`get_or_load` goes on without its cache, and loads. *near* is how long a loaded value may
    also be kept in the process, where :meth:`forget` in another process does not reach it: 0 for
    not at all. One event loop's; use it inside ``async with``.

    Raises, all of it:
        InvalidRequest: a key is malformed or longer than 300 characters, a value no bytes or over
            1 MiB, or a duration not positive.
        PortError: the cache is away.
    """

    cache: Cache
    clock: Clock
    longest_load: timedelta = _LONGEST_LOAD
    """After that, a loader in another process is taken for dead, and its work is done again."""
    near: timedelta = timedelta(0)
    chance: Callable[[], float] = random.random
    _loads: ValueLoads = field(init=False)
    _space: str = field(default="", init=False)

    def __attrs_post_init__(self) -> None:
        near = NearValues(self.near.total_seconds(), _NEAR_BYTES)
        self._loads = ValueLoads(self.cache, self.clock, self.longest_load, self.chance, near)

    async def __aenter__(self) -> Self:
        await self._loads.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._loads.__aexit__(*exc_info)

    def scoped(self, tenant: str) -> "CachedValues":
        """Return the values of *tenant*: no key of another, or of none, reaches them.

        On a Redis cluster a tenant's keys lie together. It closes with what it came from.

        Raises:
            InvalidRequest: *tenant* is no name that an account may have.
        """
        scoped = CachedValues(self.cache, self.clock, self.longest_load, self.near, self.chance)
        scoped._loads = self._loads
        # A tenant has no braces, and what is outside of all tenants never begins with one.
        scoped._space = f"{{{checked_account(tenant)}}}:"
        return scoped

    async def get(self, key: str) -> bytes | None:
        """Return the value that was set, or None if there is none or its time is up."""
        return await self.cache.get(self._value(key))

    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        """Keep *value* for *ttl*, in the place of any other."""
        await self.cache.set(self._value(key), value, ttl=ttl)

    async def add(self, key: str, value: bytes, *, ttl: timedelta) -> bool:
        """Keep *value* for *ttl* if nothing is there, and say whether it was kept."""
        return await self.cache.add(self._value(key), value, ttl=ttl)

    async def delete(self, key: str) -> bool:
        """Forget the value that was set, and say whether there was one."""
        return await self.cache.delete(self._value(key))

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return the values that are there, by key: of at most 1,000 *keys*, in one round trip."""
        names = {self._value(key): key for key in checked_cache_keys(keys)}
        found = await self.cache.get_many(list(names))
        return {names[name]: value for name, value in found.items()}

    async def increment(self, key: str, by: int = 1, *, ttl: timedelta) -> int:
        """Add *by* to the number at *key*, and return the sum; never done twice.

        The value is the sum's digits. What is new lives for *ttl*, what is there keeps its time.

        Raises:
            Conflict: what is there is no whole number (code ``not_a_number``).
        """
        return await self.cache.increment(self._value(key), by, ttl=ttl)

    async def expire(self, key: str, *, ttl: timedelta) -> bool:
        """Let the value live for *ttl* from now on, and say whether there is one."""
        return await self.cache.expire(self._value(key), ttl=ttl)

    async def get_json(self, key: str) -> Any:
        """Return what :meth:`set_json` kept; None if nothing is there, or JSON's null.

        Raises:
            InvalidRequest: what is there is no JSON (code ``invalid_cache_value``).
        """
        found = await self.get(key)
        return None if found is None else from_json(found)

    async def set_json(self, key: str, value: object, *, ttl: timedelta) -> None:
        """Keep *value*, which JSON has words for, for *ttl*."""
        await self.set(key, to_json(value), ttl=ttl)

    async def get_or_load(
        self, key: str, load: Load, *, ttl: timedelta, negative_ttl: timedelta | None = None
    ) -> bytes | None:
        """Return the value of *key*: what was loaded before, else what *load* returns.

        ::

            fresh ──────── nearly old ──── old ──────────────── 5 times its life: gone
            handed out,  │ one loads     │ handed out, and    │ those who ask wait
            by the cache │ ahead of time │ one loads          │ for the one who loads

        It is fresh for *ttl*, give or take a tenth, so that what was loaded together does not age
        together. That *load* found nothing, None, is remembered for *negative_ttl*, a tenth of
        *ttl* if None. A caller who leaves does not end a load that others wait for. Where a load
        ahead fails, the old value serves on, and the next try waits a moment. What is loaded lies
        apart from what is set: :meth:`forget` drops it.

        Raises:
            Conflict: it is closed (code ``closed``).
            Exception: what *load* raised, where there is nothing to hand out.
        """
        checked_cache_ttl(ttl)
        negative = checked_cache_ttl(ttl / 10 if negative_ttl is None else negative_ttl)
        name, lock = self._name("loaded", key), self._name("loading", key)
        return await self._loads.get(Loading(name, lock, load, ttl, negative))

    async def get_or_load_json(
        self,
        key: str,
        load: Callable[[], Awaitable[Any]],
        *,
        ttl: timedelta,
        negative_ttl: timedelta | None = None,
    ) -> Any:
        """Do as :meth:`get_or_load` does with values that JSON can write.

        Raises:
            InvalidRequest: JSON has no words for what *load* returned.
        """

        async def written() -> bytes | None:
            value = await load()
            return None if value is None else to_json(value)

        found = await self.get_or_load(key, written, ttl=ttl, negative_ttl=negative_ttl)
        return None if found is None else from_json(found)

    async def forget(self, key: str) -> None:
        """Have the next caller of :meth:`get_or_load` load *key* anew.

        A load that is under way, here or in another process, is not kept: it may have begun
        before the change.

        Raises:
            PortError: the cache is away; the old value may come back with it.
        """
        await self._loads.forget(self._name("loaded", key), self._name("loading", key))

    def _value(self, key: str) -> str:
        return self._name("value", key)

    def _name(self, kind: str, key: str) -> str:
        if len(checked_cache_key(key)) > LONGEST_KEY:
            raise InvalidRequest(
                f"a key of a cached value has at most {LONGEST_KEY} characters",
                code="invalid_cache_key",
            )
        return f"{self._space}{kind}:{key}"
