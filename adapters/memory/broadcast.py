"""Broadcasts within the process."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from tollkeeper.adapters.wire.mailboxes import MailboxSubscription
from tollkeeper.domain.broadcasts import checked_backlog, checked_message, checked_topic
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.ports.broadcast import BroadcastSubscription


class MemoryBroadcast:
    """Tells those who subscribed to this very object; several event loops and threads may.

    Facades of one process hear one another if the same object is lent to each.
    """

    def __init__(self) -> None:
        self._subscriptions: dict[str, list[MailboxSubscription]] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make one of its own from ``memory://``.

        Raises:
            ConfigurationError: *url* says anything more.
        """
        if url != "memory://":
            raise ConfigurationError(
                "the memory broadcast takes no path and no options; write memory://"
            )
        return cls()

    async def publish(self, topic: str, data: bytes) -> None:
        """Tell *data* to all subscribers of *topic*."""
        checked_topic(topic)
        checked_message(data)
        # Delivered inside of the lock, so that all hear the same order.
        with self._lock:
            for subscription in self._subscriptions.get(topic, ()):
                subscription.deliver(data)

    @asynccontextmanager
    async def subscribe(
        self, topic: str, *, backlog: int = 1000
    ) -> AsyncIterator[BroadcastSubscription]:
        """Hear *topic* during the block."""
        checked_topic(topic)
        subscription = MailboxSubscription(checked_backlog(backlog), connected=True)
        with self._lock:
            self._subscriptions.setdefault(topic, []).append(subscription)
        try:
            yield subscription
        finally:
            with self._lock:
                there = self._subscriptions[topic]
                there.remove(subscription)
                if not there:
                    del self._subscriptions[topic]
