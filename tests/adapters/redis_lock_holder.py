"""A process that takes a lock, says so, and holds it until it is killed."""

import asyncio
import sys
from datetime import timedelta

from tollkeeper.adapters.redis.lock import RedisLock
from tollkeeper.application.locks import Locks


async def main(url: str, name: str, seconds: float) -> None:
    ttl = timedelta(seconds=seconds)
    async with RedisLock.from_url(url) as lock, Locks(lock).hold(name, ttl=ttl) as held:
        print(held.fence, flush=True)
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
