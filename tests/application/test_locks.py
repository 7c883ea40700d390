"""Hosts hold locks by name, each tenant its own."""

import asyncio
from datetime import timedelta

import pytest

from tollkeeper.adapters.memory.lock import MemoryLock
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.application.locks import Locks
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.locks import LockTaken

pytestmark = pytest.mark.anyio
MINUTE = timedelta(minutes=1)


@pytest.fixture
def locks() -> Locks:
    return Locks(MemoryLock(SystemClock()))


async def test_each_who_holds_it_has_a_higher_fence_and_is_alone(locks: Locks) -> None:
    inside = 0
    fences = []

    async def work() -> None:
        nonlocal inside
        async with locks.hold("lock", ttl=MINUTE, wait=MINUTE) as held:
            inside += 1
            assert inside == 1
            fences.append(held.fence)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(10)))
    assert fences == sorted(set(fences))
    assert len(fences) == 10


async def test_a_lock_that_is_taken_is_refused_at_once_unless_one_waits(locks: Locks) -> None:
    async with locks.hold("lock"):
        with pytest.raises(LockTaken):
            async with locks.hold("lock"):
                raise AssertionError


async def test_tenants_do_not_meet(locks: Locks) -> None:
    names = ["lock", "{acme}:lock", "%{acme}:lock", "%lock"]
    async with (
        locks.scoped("acme").hold("lock"),
        locks.scoped("globex").hold("lock"),
        locks.hold(names[0]),
        locks.hold(names[1]),
        locks.hold(names[2]),
        locks.hold(names[3]),
    ):
        with pytest.raises(LockTaken):
            async with locks.scoped("acme").hold("lock"):
                raise AssertionError


@pytest.mark.parametrize("bad", ["", "n" * 121, "line\nbreak", 7, None], ids=ascii)
async def test_malformed_names_are_refused(locks: Locks, bad: str) -> None:
    with pytest.raises(InvalidRequest):
        async with locks.hold(bad):
            raise AssertionError
    with pytest.raises(InvalidRequest):
        locks.scoped("no tenant")


async def test_the_longest_names_of_the_longest_tenants_are_taken(locks: Locks) -> None:
    async with locks.scoped("t" * 128).hold("{" * 120) as held:
        assert held.fence > 0
