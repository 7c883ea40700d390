"""What a host tells all of its processes at once, such as that something it keeps is stale."""

from contextlib import AbstractAsyncContextManager

from attrs import define, field

from tollkeeper.application.tenant_names import LONGEST_NAME, TenantNames
from tollkeeper.domain.broadcasts import checked_topic
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.ports.broadcast import Broadcast, BroadcastSubscription

_BACKLOG = 1000


@define(eq=False)
class Broadcasts:
    """Small messages to every process whose settings name the same store, at most once each.

    ::

        await tk.broadcast.publish("profiles", b"user-7")        # it changed

        async with tk.broadcast.subscribe("profiles") as changes:    # in every process
            async for change in changes:
                if isinstance(change, BroadcastGap):
                    profiles.clear()                             # some may have been missed
                else:
                    profiles.pop(change.data, None)

    Raises, all of it:
        InvalidRequest: a topic is not 1-120 printable characters, a message no bytes or over
            8 KiB.
        PortError: the store refuses; to publish, also that it is away.
    """

    broadcast: Broadcast
    _names: TenantNames = field(factory=TenantNames)

    def scoped(self, tenant: str) -> "Broadcasts":
        """Return the topics of *tenant*: no topic of another, or of none, meets them.

        Raises:
            InvalidRequest: *tenant* is no name that an account may have.
        """
        return Broadcasts(self.broadcast, self._names.of(tenant))

    async def publish(self, topic: str, data: bytes) -> None:
        """Tell *data* to all who are subscribed to *topic* now; sent once.

        Raises:
            PortError: it was perhaps not told; tell it again where that does no harm.
        """
        await self.broadcast.publish(self._name(topic), data)

    def subscribe(
        self, topic: str, *, backlog: int = _BACKLOG
    ) -> AbstractAsyncContextManager[BroadcastSubscription]:
        """Hear *topic* during an ``async with`` block, in an ``async for`` that has no end.

        Each item is a :class:`BroadcastMessage`, or a :class:`BroadcastGap` where some may have
        been missed: when the connection is lost, when it is back, and where more than *backlog*
        waited. Then drop all that was kept because nothing was said against it. What is kept
        should have a time to live all the same: that a peer cannot be reached is noticed late.
        """
        return self.broadcast.subscribe(self._name(topic), backlog=backlog)

    def _name(self, topic: str) -> str:
        checked_topic(topic)
        if len(topic) > LONGEST_NAME:
            raise InvalidRequest(
                f"a topic has at most {LONGEST_NAME} characters", code="invalid_topic"
            )
        return self._names.name(topic)
