"""The places of requests under way: so many of one adapter at once, in one event loop."""

import asyncio
from datetime import timedelta

from tollkeeper.domain.errors import ConfigurationError, PoolExhausted


class Slots:
    """*limit* places in the running loop; *port* and *adapter* are what errors say."""

    def __init__(self, limit: int, *, patience: timedelta, port: str, adapter: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._free = asyncio.Semaphore(limit)
        self._patience = patience.total_seconds()
        self._port = port
        self._adapter = adapter

    def here(self) -> bool:
        """Whether the places are those of the running loop; if not, their loop is closed.

        Raises:
            ConfigurationError: their loop is another one that is not closed.
        """
        if self._loop is asyncio.get_running_loop():
            return True
        if not self.stranded:
            raise ConfigurationError(
                "this adapter is in use in another event loop: make one for each loop"
            )
        return False

    @property
    def stranded(self) -> bool:
        """Whether their loop is closed."""
        return self._loop.is_closed()

    async def take(self) -> None:
        """Take a place; wait for one if there is none.

        Raises:
            PoolExhausted: none became free within the patience.
        """
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError as error:
            raise PoolExhausted(
                "all connections to the provider are in use: try again, or allow more",
                port=self._port,
                adapter=self._adapter,
            ) from error

    def release(self) -> None:
        """Give a place back."""
        self._free.release()
