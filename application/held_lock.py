"""Working under a lock that is renewed meanwhile, and stopping when it is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
from attrs import define, field

from tollkeeper.domain.errors import PortError
from tollkeeper.domain.locks import Lease, LeaseLost, LockTaken
from tollkeeper.ports.lock import Lock

_SHARE = 3
"""A lease is renewed when this part of its life is over: two renewals may fail before it ends."""
_PAUSE_SHARE = 20


@define(eq=False)
class HeldLock:
    """A lease that is kept up while the work goes on.

    Args:
        lease: give its ``fencing`` number along to what the lock protects.
        lost: whether it is known to have ended before the work did.
        release_error: why the lock could not be given back after the work; it is free by itself
            when its ttl is over. None if it was given back.
    """

    lease: Lease
    lost: bool = False
    release_error: PortError | None = None
    _ends: float = field(default=0.0, repr=False)

    @property
    def fence(self) -> int:
        """The lease's fencing number: what the lock protects can refuse a lower one."""
        return self.lease.fencing

    def _taken_at(self, began: float) -> None:
        # Counted from before the question: the lock's own time began later.
        self._ends = began + self.lease.ttl.total_seconds()


@asynccontextmanager
async def held(
    lock: Lock, name: str, *, ttl: timedelta, wait: timedelta = timedelta(0)
) -> AsyncIterator[HeldLock]:
    """Hold the lock *name* during the block; *ttl* bounds how long a crash keeps it from others.

    The lease is renewed in the background. When it is lost, or could not be renewed before it
    ends, the block is cancelled where it waits, and :class:`LeaseLost` is raised in its place; it
    is also raised if the lease turns out to be lost when the block is at its end. What the block
    itself raises goes on unchanged.

    Raises:
        LockTaken: somebody else held it for all of *wait*.
        LeaseLost: it did not last as long as the block.
        PortError: the lock could not be asked for.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    lease = await lock.acquire(name, ttl=ttl, wait=wait)
    if lease is None:
        raise LockTaken("somebody else holds the lock; try again later")
    holding = HeldLock(lease)
    holding._taken_at(began)
    renewing: asyncio.Task[None] | None = None
    fault: BaseException | None = None
    try:
        if loop.time() - began > ttl.total_seconds() / _SHARE:
            # Nobody knows when, during a long wait, it was lent.
            began = loop.time()
            if not await lock.renew(lease):
                raise _lost()
            holding._taken_at(began)
        with anyio.CancelScope() as work:
            renewing = asyncio.create_task(_keep_up(lock, holding, work))
            yield holding
    finally:
        if renewing is not None:
            renewing.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([renewing])
            fault = None if renewing.cancelled() else renewing.exception()
        await _give_back(lock, holding)
    if holding.lost:
        raise _lost() from fault


async def _keep_up(lock: Lock, holding: HeldLock, work: anyio.CancelScope) -> None:
    """Renew the lease again and again; cancel *work* as soon as it is lost."""
    loop = asyncio.get_running_loop()
    life = holding.lease.ttl.total_seconds()
    pause = life / _SHARE
    try:
        while True:
            await asyncio.sleep(min(pause, holding._ends - loop.time()))
            began = loop.time()
            try:
                async with asyncio.timeout_at(holding._ends):
                    renewed = await lock.renew(holding.lease)
            except PortError:
                # It may be the store's short outage; only the end of the lease is final.
                pause = life / _PAUSE_SHARE
                if loop.time() >= holding._ends:
                    break
                continue
            except TimeoutError:
                break
            if not renewed:
                break
            holding._taken_at(began)
            pause = life / _SHARE
    except asyncio.CancelledError:
        raise
    except BaseException:
        # A lock that breaks its promise: the work must not go on as if it were held.
        holding.lost = True
        work.cancel()
        raise
    holding.lost = True
    work.cancel()


async def _give_back(lock: Lock, holding: HeldLock) -> None:
    with anyio.CancelScope(shield=True):
        try:
            if not await lock.release(holding.lease):
                holding.lost = True
        except PortError as error:
            holding.release_error = error
            if asyncio.get_running_loop().time() >= holding._ends:
                holding.lost = True


def _lost() -> LeaseLost:
    return LeaseLost("the lock was lost before the work was done; somebody else may hold it")
