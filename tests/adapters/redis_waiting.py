"""Waiting for a Redis that comes back: callers are refused for a while, and that is right."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from tollkeeper.adapters.redis.cache import RedisCache
from tollkeeper.domain.errors import PortError

T = TypeVar("T")
MINUTE = timedelta(minutes=1)


async def eventually(ask: Callable[[], Awaitable[T]], *, within: float = 10.0) -> T:
    """Ask until there is an answer; each refusal must say that another try may help."""
    until = time.monotonic() + within
    while True:
        try:
            return await ask()
        except PortError as error:
            if not error.retryable or time.monotonic() >= until:
                raise
        await asyncio.sleep(0.05)


async def eventually_set(cache: RedisCache, key: str) -> None:
    """Set *key*, once somebody is let through."""
    await eventually(lambda: cache.set(key, b"1", ttl=MINUTE))
