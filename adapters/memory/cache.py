"""A cache in the memory of the process."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Self

from tollkeeper.domain.cache_entries import (
    checked_cache_entry,
    checked_cache_key,
    checked_cache_keys,
    checked_cache_ttl,
    checked_step,
    incremented,
)
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.ports.clock import Clock

_MOST_BYTES = 64 << 20
# What an entry takes beside its key and value, roughly: so that empty values are bounded too.
_OVERHEAD = 200


class MemoryCache:
    """Keeps at most *most_bytes*; what was not asked for the longest goes first.

    One process's own: it may be used from several event loops and threads.
    """

    def __init__(self, clock: Clock, *, most_bytes: int = _MOST_BYTES) -> None:
        self._clock = clock
        self._most_bytes = most_bytes
        self._bytes = 0
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def from_url(cls, url: str, *, clock: Clock) -> Self:
        """Make an empty cache of its own from ``memory://``.

        Raises:
            ConfigurationError: *url* says anything more.
        """
        if url != "memory://":
            raise ConfigurationError(
                "the memory cache takes no path and no options; write memory://"
            )
        return cls(clock)

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None."""
        checked_cache_key(key)
        with self._lock:
            value = self._living(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        """Keep *value* for *ttl*."""
        checked_cache_entry(key, value, ttl=ttl)
        with self._lock:
            self._keep(key, value, ttl)

    async def add(self, key: str, value: bytes, *, ttl: timedelta) -> bool:
        """Keep *value* for *ttl* if nothing is there."""
        checked_cache_entry(key, value, ttl=ttl)
        with self._lock:
            if self._living(key) is not None:
                return False
            self._keep(key, value, ttl)
            return True

    async def delete(self, key: str) -> bool:
        """Forget the value, and say whether there was one."""
        checked_cache_key(key)
        with self._lock:
            there = self._living(key) is not None
            self._forget(key)
            return there

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return the values that are there."""
        names = checked_cache_keys(keys)
        with self._lock:
            found = {name: self._living(name) for name in names}
            kept = {name: value for name, value in found.items() if value is not None}
            for name in kept:
                self._entries.move_to_end(name)
            return kept

    async def increment(self, key: str, by: int = 1, *, ttl: timedelta) -> int:
        """Add *by* to the number at *key*, and return the sum."""
        checked_cache_key(key)
        checked_cache_ttl(ttl)
        checked_step(by)
        with self._lock:
            value = self._living(key)
            if value is None:
                self._keep(key, str(by).encode(), ttl)
                return by
            total = incremented(value, by)
            self._put(key, str(total).encode(), self._entries[key][1])
            return total

    async def expire(self, key: str, *, ttl: timedelta) -> bool:
        """Let the value live for *ttl* from now on."""
        checked_cache_key(key)
        checked_cache_ttl(ttl)
        with self._lock:
            value = self._living(key)
            if value is not None:
                self._keep(key, value, ttl)
            return value is not None

    def _living(self, key: str) -> bytes | None:
        value, end = self._entries.get(key, (None, 0.0))
        if value is not None and end <= self._clock.monotonic():
            self._forget(key)
            return None
        return value

    def _keep(self, key: str, value: bytes, ttl: timedelta) -> None:
        self._put(key, value, self._clock.monotonic() + ttl.total_seconds())

    def _put(self, key: str, value: bytes, end: float) -> None:
        self._forget(key)
        self._entries[key] = (value, end)
        self._bytes += _size(key, value)
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._entries)))

    def _forget(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= _size(key, entry[0])


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value) + _OVERHEAD
