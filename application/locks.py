"""One at a time, for hosts: locks that are held for as long as a block goes on."""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from attrs import define, field

from tollkeeper.application.held_lock import HeldLock, held
from tollkeeper.application.tenant_names import LONGEST_NAME, TenantNames
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.locks import checked_lock_name
from tollkeeper.ports.lock import Lock

_TTL = timedelta(seconds=30)


@define(eq=False)
class Locks:
    """A host's own locks, shared by all processes whose settings name the same store.

    ::

        async with tk.locks.hold("nightly-report", wait=timedelta(seconds=5)) as held:
            await write_report(fence=held.fence)
    """

    lock: Lock
    _names: TenantNames = field(factory=TenantNames)

    def scoped(self, tenant: str) -> "Locks":
        """Return the locks of *tenant*: no name of another, or of none, meets them.

        Raises:
            InvalidRequest: *tenant* is no name that an account may have.
        """
        return Locks(self.lock, self._names.of(tenant))

    def hold(
        self, name: str, *, ttl: timedelta = _TTL, wait: timedelta = timedelta(0)
    ) -> AbstractAsyncContextManager[HeldLock]:
        """Hold the lock *name* during an ``async with`` block.

        The lock is renewed for as long as the block goes on, however long that is; *ttl*, a
        millisecond to a day, bounds how long a process that died keeps it from others. It has to
        be longer than any pause of this process: a lock that was not renewed in time is lost, and
        then the block is cancelled where it waits. *wait* is how long to wait for a lock that
        somebody else holds. Give ``held.fence`` along to what the lock protects, and let it refuse
        a lower number than it has seen: that holds even where a lost lock is noticed too late.

        Raises:
            InvalidRequest: *name* is not 1-120 printable characters, or a duration not sound.
            LockTaken: somebody else held it for all of *wait*.
            LeaseLost: it was lost before the block was done.
            PortError: the lock's store could not be asked.
        """
        checked_lock_name(name)
        if len(name) > LONGEST_NAME:
            raise InvalidRequest(
                f"the name of a lock has at most {LONGEST_NAME} characters",
                code="invalid_lock_name",
            )
        return held(self.lock, self._names.name(name), ttl=ttl, wait=wait)
