"""One at a time."""

from datetime import timedelta
from typing import Protocol, runtime_checkable

from tollkeeper.domain.locks import Lease


@runtime_checkable
class Lock(Protocol):
    """Lends named locks, each to one owner at a time and for a limited time only.

    Names and owners are 1-255 printable characters; a *ttl* is a millisecond to a day, by the
    adapter's own clock. Each question to the store is one atomic step. An owner that pauses
    longer than its ttl may find itself no longer alone: where that could do harm, give the
    lease's ``fencing`` number along and let the receiver refuse a lower one than it has seen.

    Each method may raise :class:`InvalidRequest` for a malformed argument and
    :class:`PortError`; with ``ambiguous`` set, it may have been done all the same.
    """

    async def acquire(
        self,
        name: str,
        *,
        ttl: timedelta,
        wait: timedelta = timedelta(0),
        owner: str | None = None,
    ) -> Lease | None:
        """Lend the lock to *owner* for *ttl*, or return None if it did not become free in *wait*.

        Without an *owner* a new one is made up. The owner that has the lock already gets the same
        lease again, same fencing number, for *ttl* from now: after a failure, ask again with the
        same owner. A new lease has a higher fencing number than all before it, however they
        ended. Takes no longer than *wait* and the time of one operation. A caller who is
        cancelled or sees an error leaves at most a lock that is free again after *ttl*.
        """

    async def renew(self, lease: Lease, *, ttl: timedelta | None = None) -> bool:
        """Let *lease* last for *ttl* (as long as before, if None) from now; idempotent.

        Returns whether it is still the owner's; if not, nothing was changed.
        """

    async def release(self, lease: Lease) -> bool:
        """Give the lock back.

        Returns whether it was still the owner's; if not, nothing was changed, and whoever holds
        it now keeps it.
        """
