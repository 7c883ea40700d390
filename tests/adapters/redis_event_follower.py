"""One of several processes in which many follow one log; says what each of them got."""

import asyncio
import hashlib
import sys

from tollkeeper.adapters.redis.event_log import RedisEventLog
from tollkeeper.application.event_logs import EventLogs


async def main(url: str, log: str, followers: int) -> None:
    async with RedisEventLog.from_url(url) as event_log:
        events = EventLogs(event_log)

        async def follow(turn: int) -> str:
            """Follow to the end, as a browser does that loses its connection now and then."""
            seen = hashlib.sha256()
            after, ended = None, False
            while not ended:
                ended = True
                async with events.subscribe(log, after=after) as subscription:
                    async for event in subscription:
                        if event is not None:
                            seen.update(b"%d:%s;" % (event.number, event.data))
                            after = event.id
                            if event.number % 50 == turn:
                                ended = False
                                break
            return seen.hexdigest()

        print("ready", flush=True)
        found = await asyncio.gather(*(follow(turn) for turn in range(followers)))
        print(*found, flush=True)
        assert events.readers == 0
        assert event_log._connections.usage[0] == 0


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
