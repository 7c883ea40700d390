"""What a facade offers beside its use cases, for hosts without an event loop."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from anyio import to_thread

from tollkeeper.application.broadcasts import Broadcasts
from tollkeeper.application.cached_values import CachedValues
from tollkeeper.application.event_logs import EventLogs
from tollkeeper.application.event_subscription import EventSubscription
from tollkeeper.application.held_lock import HeldLock
from tollkeeper.application.locks import Locks
from tollkeeper.application.outbox_messages import Delivered, OutboxMessages
from tollkeeper.domain.broadcasts import BroadcastItem
from tollkeeper.domain.errors import Unsupported
from tollkeeper.domain.event_logs import LoggedEvent
from tollkeeper.domain.outbox import Message
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.blocking import Blocking, Loop
from tollkeeper.ports.broadcast import BroadcastSubscription
from tollkeeper.ports.tables import Tables, UserTables

T = TypeVar("T")


def _in_a_thread(load: Callable[[], T]) -> Callable[[], Awaitable[T]]:
    # The loop serves all threads of the host: what blocks must not block it.
    return lambda: to_thread.run_sync(load)


class SyncCachedValues:
    """:class:`CachedValues`, blocking; loaders run in threads of their own."""

    def __init__(self, loop: Loop, values: CachedValues) -> None:
        self._loop = loop
        self._values = values
        self.get = Blocking(loop, values.get)
        self.set = Blocking(loop, values.set)
        self.add = Blocking(loop, values.add)
        self.delete = Blocking(loop, values.delete)
        self.get_many = Blocking(loop, values.get_many)
        self.increment = Blocking(loop, values.increment)
        self.expire = Blocking(loop, values.expire)
        self.get_json = Blocking(loop, values.get_json)
        self.set_json = Blocking(loop, values.set_json)
        self.forget = Blocking(loop, values.forget)

    def scoped(self, tenant: str) -> "SyncCachedValues":
        """Return the values of *tenant*."""
        return SyncCachedValues(self._loop, self._values.scoped(tenant))

    def get_or_load(
        self,
        key: str,
        load: Callable[[], bytes | None],
        *,
        ttl: timedelta,
        negative_ttl: timedelta | None = None,
    ) -> bytes | None:
        """Return the value of *key*: what was loaded before, else what *load* returns."""

        async def run() -> bytes | None:
            return await self._values.get_or_load(
                key, _in_a_thread(load), ttl=ttl, negative_ttl=negative_ttl
            )

        return self._loop.call(run)

    def get_or_load_json(
        self,
        key: str,
        load: Callable[[], Any],
        *,
        ttl: timedelta,
        negative_ttl: timedelta | None = None,
    ) -> Any:
        """Do as :meth:`get_or_load` does with values that JSON can write."""

        async def run() -> Any:
            return await self._values.get_or_load_json(
                key, _in_a_thread(load), ttl=ttl, negative_ttl=negative_ttl
            )

        return self._loop.call(run)


class SyncLocks:
    """:class:`Locks`, blocking: ``with tk.locks.hold("nightly-report") as held: …``.

    A block in a thread cannot be cancelled: look at ``held.lost`` before what must not be done
    twice. That a lock was lost is raised when the block is at its end.
    """

    def __init__(self, loop: Loop, locks: Locks) -> None:
        self._loop = loop
        self._locks = locks

    def scoped(self, tenant: str) -> "SyncLocks":
        """Return the locks of *tenant*."""
        return SyncLocks(self._loop, self._locks.scoped(tenant))

    def hold(
        self,
        name: str,
        *,
        ttl: timedelta = timedelta(seconds=30),
        wait: timedelta = timedelta(0),
    ) -> AbstractContextManager[HeldLock]:
        """Hold the lock *name* during a ``with`` block, as :meth:`Locks.hold` does."""
        return self._loop.within(self._locks.hold(name, ttl=ttl, wait=wait))


class SyncEventSubscription:
    """The events of a log as they come, in a ``for``; None is a heartbeat."""

    def __init__(self, loop: Loop, subscription: EventSubscription) -> None:
        self._loop = loop
        self._subscription = subscription

    @property
    def after(self) -> str | None:
        """The id of the last event that was got: what to resume from."""
        return self._subscription.after

    def __iter__(self) -> Iterator[LoggedEvent | None]:
        while True:
            try:
                yield self._loop.call(self._subscription.__anext__)
            except StopAsyncIteration:
                return


class SyncEventLogs:
    """:class:`EventLogs`, blocking: ``with tk.events.subscribe("answer-7") as events: …``."""

    def __init__(self, loop: Loop, events: EventLogs) -> None:
        self._loop = loop
        self._events = events
        self.append = Blocking(loop, events.append)
        self.end = Blocking(loop, events.end)
        self.read = Blocking(loop, events.read)

    def scoped(self, tenant: str) -> "SyncEventLogs":
        """Return the logs of *tenant*."""
        return SyncEventLogs(self._loop, self._events.scoped(tenant))

    @contextmanager
    def subscribe(
        self,
        log: str,
        *,
        after: str | None = None,
        heartbeat: timedelta | None = timedelta(seconds=15),
        backlog: int = 256,
    ) -> Iterator[SyncEventSubscription]:
        """Follow a log, as :meth:`EventLogs.subscribe` does."""
        following = self._events.subscribe(log, after=after, heartbeat=heartbeat, backlog=backlog)
        with self._loop.within(following) as subscription:
            yield SyncEventSubscription(self._loop, subscription)


class SyncBroadcastSubscription:
    """Messages as they come, and gaps, in a ``for`` that has no end."""

    def __init__(self, loop: Loop, subscription: BroadcastSubscription) -> None:
        self._loop = loop
        self._subscription = subscription

    @property
    def generation(self) -> int:
        """How many gaps there were so far, whether they were read or not."""
        return self._subscription.generation

    @property
    def connected(self) -> bool:
        """Whether messages come at the moment, as far as is known."""
        return self._subscription.connected

    def __iter__(self) -> Iterator[BroadcastItem]:
        while True:
            yield self._loop.call(self._subscription.__anext__)


class SyncBroadcasts:
    """:class:`Broadcasts`, blocking: ``with tk.broadcast.subscribe("profiles") as changes: …``."""

    def __init__(self, loop: Loop, broadcasts: Broadcasts) -> None:
        self._loop = loop
        self._broadcasts = broadcasts
        self.publish = Blocking(loop, broadcasts.publish)

    def scoped(self, tenant: str) -> "SyncBroadcasts":
        """Return the topics of *tenant*."""
        return SyncBroadcasts(self._loop, self._broadcasts.scoped(tenant))

    @contextmanager
    def subscribe(self, topic: str, *, backlog: int = 1000) -> Iterator[SyncBroadcastSubscription]:
        """Hear *topic* during the block, as :meth:`Broadcasts.subscribe` does."""
        hearing = self._broadcasts.subscribe(topic, backlog=backlog)
        with self._loop.within(hearing) as subscription:
            yield SyncBroadcastSubscription(self._loop, subscription)


class SyncOutboxMessages:
    """:class:`OutboxMessages`, blocking; handlers run in threads of their own."""

    def __init__(self, loop: Loop, messages: OutboxMessages) -> None:
        self._loop = loop
        self._messages = messages
        self.add = Blocking(loop, messages.add)
        self.messages = Blocking(loop, messages.messages)
        self.revive = Blocking(loop, messages.revive)

    def deliver(
        self,
        topic: str,
        handler: Callable[[Message], None],
        *,
        lease: timedelta = timedelta(minutes=1),
        limit: int = 100,
    ) -> Delivered:
        """Hand messages that are due to *handler*, as :meth:`OutboxMessages.deliver` does."""

        async def handle(message: Message) -> None:
            await to_thread.run_sync(handler, message)

        async def run() -> Delivered:
            return await self._messages.deliver(topic, handle, lease=lease, limit=limit)

        return self._loop.call(run)


class SyncTables:
    """The host's own tables, blocking."""

    def __init__(self, loop: Loop, tables: Tables) -> None:
        self._loop = loop
        self._tables = tables
        self.select = Blocking(loop, tables.select)
        self.insert = Blocking(loop, tables.insert)
        self.upsert = Blocking(loop, tables.upsert)
        self.update = Blocking(loop, tables.update)
        self.delete = Blocking(loop, tables.delete)
        self.call = Blocking(loop, tables.call)

    def as_user(self, token: Secret | str) -> "SyncTables":
        """Return the tables as the user who signed in with *token* may see and change them.

        Raises:
            Unsupported: the database does not know the host's users by itself.
        """
        if not isinstance(self._tables, UserTables):
            raise Unsupported("only tables on Supabase can be seen as one of its users sees them")
        return SyncTables(self._loop, self._tables.as_user(token))
