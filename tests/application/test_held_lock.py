"""Work under a lock is renewed, stopped when the lock is lost, and leaves nothing behind."""

import asyncio
from datetime import timedelta

import pytest

from tollkeeper.adapters.memory.lock import MemoryLock
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.application.held_lock import HeldLock, held
from tollkeeper.domain.errors import Unavailable
from tollkeeper.domain.locks import Lease, LeaseLost, LockTaken

pytestmark = pytest.mark.anyio
TTL = timedelta(seconds=0.3)
LONG = timedelta(minutes=1)


class Unreachable(MemoryLock):
    """A lock whose store goes away once it has lent."""

    away = False

    async def renew(self, lease: Lease, *, ttl: timedelta | None = None) -> bool:
        if self.away:
            raise Unavailable("away", port="lock", adapter="test")
        return await super().renew(lease, ttl=ttl)

    async def release(self, lease: Lease) -> bool:
        if self.away:
            raise Unavailable("away", port="lock", adapter="test")
        return await super().release(lease)


class Hanging(MemoryLock):
    async def renew(self, lease: Lease, *, ttl: timedelta | None = None) -> bool:
        await asyncio.sleep(3600)
        return True


class Broken(MemoryLock):
    async def renew(self, lease: Lease, *, ttl: timedelta | None = None) -> bool:
        raise ZeroDivisionError


@pytest.fixture
def lock() -> MemoryLock:
    return MemoryLock(SystemClock())


async def test_the_lock_is_held_for_longer_than_its_ttl_and_free_afterwards(
    lock: MemoryLock,
) -> None:
    async with held(lock, "lock", ttl=timedelta(seconds=1)) as holding:
        assert holding.fence == holding.lease.fencing > 0
        for _ in range(15):
            await asyncio.sleep(0.1)
            assert await lock.acquire("lock", ttl=LONG) is None
    assert not holding.lost
    assert holding.release_error is None
    assert await lock.acquire("lock", ttl=LONG) is not None


async def test_a_lock_that_is_taken_is_an_error(lock: MemoryLock) -> None:
    await lock.acquire("lock", ttl=LONG)
    with pytest.raises(LockTaken):
        async with held(lock, "lock", ttl=LONG, wait=timedelta(seconds=0.02)):
            raise AssertionError


async def test_work_is_cancelled_where_it_waits_when_the_lease_is_lost(lock: MemoryLock) -> None:
    cleaned = False
    seen: list[HeldLock] = []

    async def work() -> None:
        nonlocal cleaned
        async with held(lock, "lock", ttl=TTL) as holding:
            seen.append(holding)
            await lock.release(holding.lease)
            try:
                await asyncio.sleep(60)
            finally:
                cleaned = True

    with pytest.raises(LeaseLost):
        await work()
    assert cleaned
    assert seen[0].lost
    await asyncio.sleep(0)  # the task itself was not cancelled


@pytest.mark.parametrize("broken", [Unreachable, Hanging])
async def test_work_is_cancelled_when_the_lease_cannot_be_renewed_before_its_end(
    broken: type[MemoryLock],
) -> None:
    lock = broken(SystemClock())
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def work() -> None:
        async with held(lock, "lock", ttl=TTL):
            if isinstance(lock, Unreachable):
                lock.away = True
            await asyncio.sleep(60)

    with pytest.raises(LeaseLost):
        await work()
    assert 0.2 < loop.time() - began < 10


async def test_work_is_cancelled_when_the_lock_breaks_its_promise() -> None:
    lock = Broken(SystemClock())
    with pytest.raises(LeaseLost) as caught:
        async with held(lock, "lock", ttl=TTL):
            await asyncio.sleep(60)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert await lock.acquire("lock", ttl=LONG) is not None


async def test_a_short_outage_costs_nothing() -> None:
    lock = Unreachable(SystemClock())
    async with held(lock, "lock", ttl=timedelta(seconds=2)) as holding:
        lock.away = True
        await asyncio.sleep(1)
        lock.away = False
        await asyncio.sleep(1.5)
    assert not holding.lost


async def test_a_release_that_fails_is_noted_and_the_work_is_done() -> None:
    lock = Unreachable(SystemClock())
    async with held(lock, "lock", ttl=LONG) as holding:
        lock.away = True
    assert isinstance(holding.release_error, Unavailable)
    assert not holding.lost


async def test_work_that_ends_after_the_lease_was_lost_is_told(lock: MemoryLock) -> None:
    async def work() -> None:
        async with held(lock, "lock", ttl=LONG) as holding:
            await lock.release(holding.lease)
            await lock.acquire("lock", ttl=LONG, owner="other")

    with pytest.raises(LeaseLost):
        await work()
    assert await lock.acquire("lock", ttl=LONG) is None


async def test_the_works_own_error_goes_on_and_the_lock_is_free(lock: MemoryLock) -> None:
    with pytest.raises(ZeroDivisionError):
        async with held(lock, "lock", ttl=LONG):
            raise ZeroDivisionError
    assert await lock.acquire("lock", ttl=LONG) is not None


async def test_a_cancelled_caller_gives_the_lock_back(lock: MemoryLock) -> None:
    async def work() -> None:
        async with held(lock, "lock", ttl=LONG):
            await asyncio.sleep(60)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert await lock.acquire("lock", ttl=LONG) is not None
    assert len(asyncio.all_tasks()) <= 2


async def test_after_a_long_wait_the_lease_is_renewed_before_the_work(lock: MemoryLock) -> None:
    lease = await lock.acquire("lock", ttl=LONG)
    assert lease is not None

    async def release_later() -> None:
        await asyncio.sleep(0.4)
        await lock.release(lease)

    releasing = asyncio.ensure_future(release_later())
    async with held(lock, "lock", ttl=TTL, wait=LONG) as holding:
        await asyncio.sleep(0.5)
    assert not holding.lost
    await releasing
