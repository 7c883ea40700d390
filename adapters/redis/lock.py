"""Locks in Redis."""

import asyncio
import random
import uuid
from datetime import timedelta
from typing import Self

import anyio

from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.adapters.redis.scripts import Script
from tollkeeper.domain.checks import checked_duration
from tollkeeper.domain.errors import PoolExhausted, PortError
from tollkeeper.domain.locks import (
    Lease,
    checked_lock_name,
    checked_lock_owner,
    checked_lock_ttl,
)
from tollkeeper.ports.clock import Clock

_PORT = "lock"
_MILLISECOND = timedelta(milliseconds=1)
_FENCING_LIFE = timedelta(days=7) // _MILLISECOND
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.1
_TIDYING = 0.5
_NEVER_SENT = ("circuit_open", "not_open")

_ACQUIRE = Script("""
local held = redis.call('GET', KEYS[1])
if held then
    local fencing, owner = string.match(held, '^(%d+) (.*)$')
    if owner ~= ARGV[1] then
        return false
    end
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return fencing
end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local fencing = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last + 1))
redis.call('SET', KEYS[1], fencing .. ' ' .. ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], fencing, 'PX', ARGV[2] + ARGV[3])
return fencing
""")
"""Lends KEYS[1] to ARGV[1] for ARGV[2] ms; KEYS[2] keeps the last fencing number for longer."""

_RENEW = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2] + ARGV[3])
return 1
""")

_RELEASE = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
return redis.call('DEL', KEYS[1])
""")


class RedisLock:
    """Locks that all processes share which name the same Redis and namespace.

    A fencing number is the server's time in microseconds, or one more than the last if that is
    higher: it rises even over a restart that forgets everything, as long as the server's clock is
    not put back further than it was away. The last number is kept for a week after it was given.
    A Redis that fails over to a replica may lend a lock twice, since replicas lag; the fencing
    numbers tell the two apart.
    """

    def __init__(self, connections: RedisConnections) -> None:
        self._connections = connections

    @classmethod
    def from_url(cls, url: str, *, clock: Clock | None = None) -> Self:
        """Make locks with connections of their own; the *clock* is not asked: Redis has one.

        Raises:
            ConfigurationError: *url* is malformed; see :class:`RedisConnections`.
        """
        return cls(RedisConnections.from_url(url, port=_PORT))

    async def __aenter__(self) -> Self:
        await self._connections.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._connections.__aexit__(*exc_info)

    async def health(self) -> str:
        """Say how Redis does."""
        return await self._connections.health()

    async def acquire(
        self,
        name: str,
        *,
        ttl: timedelta,
        wait: timedelta = timedelta(0),
        owner: str | None = None,
    ) -> Lease | None:
        """Lend the lock, or return None; whoever waits asks again every tenth of a second."""
        checked_lock_name(name)
        checked_lock_ttl(ttl)
        checked_duration(wait, field="wait", shortest=timedelta(0))
        asks = uuid.uuid4().hex if owner is None else checked_lock_owner(owner)
        loop = asyncio.get_running_loop()
        until = loop.time() + wait.total_seconds()
        pause = _FIRST_PAUSE
        while True:
            try:
                lease = await self._take(name, asks, ttl)
            except asyncio.CancelledError:
                if owner is None:
                    await self._give_up(name, asks, ttl)
                raise
            left = until - loop.time()
            if lease is not None or left <= 0:
                return lease
            await asyncio.sleep(min(left, random.uniform(pause / 2, pause)))  # noqa: S311 - it spreads callers, and guards nothing
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def renew(self, lease: Lease, *, ttl: timedelta | None = None) -> bool:
        """Let *lease* last longer, if it lasts still."""
        life = _milliseconds(lease.ttl if ttl is None else checked_lock_ttl(ttl))
        keys, held = self._keys(lease.name), f"{lease.fencing} {lease.owner}"
        renewed = await self._connections.run(
            lambda client: _RENEW(client, keys, [held, life, _FENCING_LIFE]),
            idempotent=True,
            key=keys[0],
        )
        return bool(renewed)

    async def release(self, lease: Lease) -> bool:
        """Give the lock back; sent once, for a second time would find it given back."""
        keys, held = self._keys(lease.name)[:1], f"{lease.fencing} {lease.owner}"
        released = await self._connections.run(
            lambda client: _RELEASE(client, keys, [held]), idempotent=False, key=keys[0]
        )
        return bool(released)

    async def _take(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        keys, life = self._keys(name), _milliseconds(ttl)
        try:
            # The same owner gets the same lease: this may be sent twice.
            fencing = await self._connections.run(
                lambda client: _ACQUIRE(client, keys, [owner, life, _FENCING_LIFE]),
                idempotent=True,
                key=keys[0],
            )
        except PortError as error:
            error.ambiguous = not isinstance(error, PoolExhausted) and (
                error.code not in _NEVER_SENT
            )
            raise
        return None if fencing is None else Lease(name, owner, int(fencing), ttl)

    async def _give_up(self, name: str, owner: str, ttl: timedelta) -> None:
        """Try briefly to give back what nobody else knows the owner of; else its ttl does."""
        with anyio.move_on_after(_TIDYING, shield=True):
            try:
                lease = await self._take(name, owner, ttl)
                if lease is not None:
                    await self.release(lease)
            except PortError:
                return

    def _keys(self, name: str) -> list[str]:
        key = self._connections.key
        return [key("lock", part, tag=name) for part in ("held", "fencing")]


def _milliseconds(ttl: timedelta) -> int:
    return -(-ttl // _MILLISECOND)
