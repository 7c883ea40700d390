"""A cache in Redis."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Self

from tollkeeper.adapters.redis.clients import Client
from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.adapters.redis.scripts import INCREMENT
from tollkeeper.domain.cache_entries import (
    checked_cache_entry,
    checked_cache_key,
    checked_cache_keys,
    checked_cache_ttl,
    checked_step,
    not_a_number,
)
from tollkeeper.ports.clock import Clock

_PORT = "cache"
_MILLISECOND = timedelta(milliseconds=1)


class RedisCache:
    """Keeps values in Redis, for every process that names the same server and namespace.

    Lives are whole milliseconds, rounded up, by the server's clock. Use it inside ``async with``.
    """

    def __init__(self, connections: RedisConnections) -> None:
        self._connections = connections

    @classmethod
    def from_url(cls, url: str, *, clock: Clock | None = None) -> Self:
        """Make a cache with connections of its own; the *clock* is not asked: Redis has one.

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

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None."""
        found: bytes | None = await self._command("GET", self._name(key))
        return found

    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        """Keep *value* for *ttl*."""
        checked_cache_entry(key, value, ttl=ttl)
        await self._command("SET", self._name(key), value, "PX", _milliseconds(ttl))

    async def add(self, key: str, value: bytes, *, ttl: timedelta) -> bool:
        """Keep *value* for *ttl* if nothing is there."""
        checked_cache_entry(key, value, ttl=ttl)
        # Sent twice it would find its own value there.
        kept = await self._command(
            "SET", self._name(key), value, "PX", _milliseconds(ttl), "NX", idempotent=False
        )
        return kept is not None

    async def delete(self, key: str) -> bool:
        """Forget the value, and say whether there was one."""
        return bool(await self._command("DEL", self._name(key), idempotent=False))

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return the values that are there."""
        wanted = list(dict.fromkeys(checked_cache_keys(keys)))
        if not wanted:
            return {}
        names = [self._name(key) for key in wanted]
        if self._connections.is_cluster:
            values = await self._from_nodes(names)
        else:
            values = dict(zip(names, await self._command("MGET", *names), strict=True))
        found = zip(wanted, (values[name] for name in names), strict=True)
        return {key: value for key, value in found if value is not None}

    async def increment(self, key: str, by: int = 1, *, ttl: timedelta) -> int:
        """Add *by* to the number at *key*, and return the sum; sent once and never again."""
        name, life, step = self._name(key), _milliseconds(checked_cache_ttl(ttl)), checked_step(by)
        total = await self._connections.run(
            lambda client: INCREMENT(client, [name], [step, life]), idempotent=False, key=name
        )
        if total is None:
            raise not_a_number()
        return int(total)

    async def expire(self, key: str, *, ttl: timedelta) -> bool:
        """Let the value live for *ttl* from now on."""
        name, life = self._name(key), _milliseconds(checked_cache_ttl(ttl))
        return bool(await self._command("PEXPIRE", name, life))

    def _name(self, key: str) -> str:
        return self._connections.key("cache", checked_cache_key(key))

    async def _command(
        self, verb: str, name: str, *rest: str | bytes | int, idempotent: bool = True
    ) -> Any:
        return await self._connections.run(
            lambda client: client.execute_command(verb, name, *rest),
            idempotent=idempotent,
            key=name,
        )

    async def _from_nodes(self, names: list[str]) -> dict[str, bytes | None]:
        """Ask the nodes of a cluster at once, each for its own; the first failure ends it."""
        until = asyncio.get_running_loop().time() + self._connections.timeout.total_seconds()
        parts = await self._connections.by_node(names, until=until)
        asking = [asyncio.ensure_future(self._from_node(part, until)) for part in parts]
        try:
            values = await asyncio.gather(*asking)
        finally:
            for one in asking:
                one.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        return {
            name: value
            for part, found in zip(parts, values, strict=True)
            for name, value in zip(part, found, strict=True)
        }

    async def _from_node(self, names: list[str], until: float) -> list[bytes | None]:
        async def get_all(client: Client) -> list[bytes | None]:
            pipeline = client.pipeline(transaction=False)
            for name in names:
                pipeline.execute_command("GET", name)
            values: list[bytes | None] = await pipeline.execute()
            return values

        return await self._connections.run(get_all, idempotent=True, key=names[0], until=until)


def _milliseconds(ttl: timedelta) -> int:
    return -(-ttl // _MILLISECOND)
