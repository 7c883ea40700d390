"""The subscriptions of adapters that broadcast."""

import asyncio
import threading
from contextlib import suppress
from typing import Self

from tollkeeper.domain.broadcasts import BroadcastItem, Mailbox


class MailboxSubscription:
    """A mailbox to wait at; what is put in may come from any thread."""

    def __init__(self, backlog: int, *, connected: bool) -> None:
        self._box = Mailbox(backlog, connected)
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._lock = threading.Lock()

    @property
    def generation(self) -> int:
        """How many gaps there were so far."""
        return self._box.generation

    @property
    def connected(self) -> bool:
        """Whether messages can come."""
        return self._box.connected

    def deliver(self, data: bytes) -> None:
        """Put a message in."""
        with self._lock:
            self._box.deliver(data)
        self._ring()

    def miss(self, *, connected: bool) -> None:
        """Put a gap in."""
        with self._lock:
            self._box.miss(connected=connected)
        self._ring()

    def begin(self) -> None:
        """Note that messages come from now on, for one who could not have missed any."""
        self._box.connected = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BroadcastItem:
        """Wait for what comes next."""
        while True:
            self._wake.clear()
            with self._lock:
                item = self._box.take()
            if item is not None:
                return item
            await self._wake.wait()

    def _ring(self) -> None:
        with suppress(RuntimeError):  # its loop was closed under it
            self._loop.call_soon_threadsafe(self._wake.set)
