"""Loaders of cached values that a test holds back, counts and lets fail."""

import asyncio


class Loader:
    """Counts its loads; each waits until it is let go."""

    def __init__(self) -> None:
        self.loads = 0
        self.go = asyncio.Event()
        self.go.set()
        self.error: Exception | None = None
        self.nothing = False

    async def __call__(self) -> bytes | None:
        self.loads += 1
        mine = self.loads
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return None if self.nothing else str(mine).encode()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
