"""Locks in the memory of the process."""

import asyncio
import threading
import uuid
from datetime import timedelta
from typing import Self

from tollkeeper.domain.checks import checked_duration
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.locks import (
    Lease,
    checked_lock_name,
    checked_lock_owner,
    checked_lock_ttl,
)
from tollkeeper.ports.clock import Clock

_PAUSE = 0.005
_SWEEP = 1000


class MemoryLock:
    """Locks of this process alone; several event loops and threads may share them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._leases: dict[str, tuple[Lease, float]] = {}
        self._fencing = 0
        self._most = _SWEEP
        self._lock = threading.Lock()

    @classmethod
    def from_url(cls, url: str, *, clock: Clock) -> Self:
        """Make locks of its own from ``memory://``.

        Raises:
            ConfigurationError: *url* says anything more.
        """
        if url != "memory://":
            raise ConfigurationError(
                "the memory lock takes no path and no options; write memory://"
            )
        return cls(clock)

    async def acquire(
        self,
        name: str,
        *,
        ttl: timedelta,
        wait: timedelta = timedelta(0),
        owner: str | None = None,
    ) -> Lease | None:
        """Lend the lock, or return None."""
        checked_lock_name(name)
        checked_lock_ttl(ttl)
        checked_duration(wait, field="wait", shortest=timedelta(0))
        owner = uuid.uuid4().hex if owner is None else checked_lock_owner(owner)
        loop = asyncio.get_running_loop()
        until = loop.time() + wait.total_seconds()
        while True:
            lease = self._take(name, owner, ttl)
            left = until - loop.time()
            if lease is not None or left <= 0:
                return lease
            await asyncio.sleep(min(_PAUSE, left))

    async def renew(self, lease: Lease, *, ttl: timedelta | None = None) -> bool:
        """Let *lease* last longer, if it lasts still."""
        ttl = lease.ttl if ttl is None else checked_lock_ttl(ttl)
        with self._lock:
            return self._is_held(lease) and self._lend(lease, ttl) is not None

    async def release(self, lease: Lease) -> bool:
        """Give the lock back, if it is still the owner's."""
        with self._lock:
            held = self._is_held(lease)
            if held:
                del self._leases[lease.name]
            return held

    def _take(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        with self._lock:
            held = self._held(name)
            if held is None:
                self._fencing += 1
                self._sweep()
                return self._lend(Lease(name, owner, self._fencing, ttl), ttl)
            if held.owner != owner:
                return None
            return self._lend(Lease(name, owner, held.fencing, ttl), ttl)

    def _sweep(self) -> None:
        """Forget leases that are over and nobody asked for again, before they become many."""
        if len(self._leases) >= self._most:
            for name in list(self._leases):
                self._held(name)
            self._most = max(_SWEEP, 2 * len(self._leases))

    def _lend(self, lease: Lease, ttl: timedelta) -> Lease:
        self._leases[lease.name] = (lease, self._clock.monotonic() + ttl.total_seconds())
        return lease

    def _held(self, name: str) -> Lease | None:
        lease, end = self._leases.get(name, (None, 0.0))
        if lease is not None and end <= self._clock.monotonic():
            del self._leases[name]
            return None
        return lease

    def _is_held(self, lease: Lease) -> bool:
        held = self._held(lease.name)
        return held is not None and (held.owner, held.fencing) == (lease.owner, lease.fencing)
