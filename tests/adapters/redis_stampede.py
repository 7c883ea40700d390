"""One of several processes that ask for one value all the time; says how often it loaded it."""

import asyncio
import sys
from datetime import timedelta

from tollkeeper.adapters.redis.cache import RedisCache
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.application.cached_values import CachedValues

CLIENTS = 15
TTL = timedelta(seconds=1)


async def main(url: str, seconds: float) -> None:
    loads = asks = 0

    async def load() -> bytes:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0.05)
        return b"value"

    clock = SystemClock()
    async with RedisCache.from_url(url) as cache, CachedValues(cache, clock) as values:
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        until = clock.monotonic() + seconds

        async def ask() -> None:
            nonlocal asks
            while clock.monotonic() < until:
                assert await values.get_or_load("key", load, ttl=TTL) == b"value"
                asks += 1
                await asyncio.sleep(0.01)

        await asyncio.gather(*(ask() for _ in range(CLIENTS)))
    print(loads, asks, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
