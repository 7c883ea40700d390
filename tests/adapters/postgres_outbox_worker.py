"""A process of its own that delivers messages, for a test that kills one in the middle.

``python -m tests.adapters.postgres_outbox_worker URL TOPIC SECONDS``: says ``ready``, then for each
message that it claims its id, which is the delivery, and takes so many seconds to say that it is
done. It ends when standard input does.
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

from tollkeeper.adapters.postgres.store import PostgresStore

LEASE = timedelta(seconds=3)


async def main(url: str, topic: str, seconds: str) -> None:
    """Deliver until standard input is closed."""
    async with PostgresStore.from_url(url) as store:
        print("ready", flush=True)
        closed = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
        while not closed.done():
            at = datetime.now(UTC)
            for each in await store.outbox.claim(topic=topic, at=at, lease=LEASE, limit=5):
                print(each.message.id, flush=True)
                await asyncio.sleep(float(seconds))
                await store.outbox.done([each], at=datetime.now(UTC))
            await asyncio.sleep(0.005)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
