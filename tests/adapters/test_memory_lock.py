"""Locks in memory keep their contract, among threads too."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.lock import MemoryLock
from tollkeeper.contracts.lock import LockContract
from tollkeeper.domain.errors import ConfigurationError


class TestMemoryLock(LockContract):
    @pytest.fixture
    def clock(self) -> MemoryClock:
        return MemoryClock()

    @pytest.fixture
    def lock(self, clock: MemoryClock) -> MemoryLock:
        return MemoryLock.from_url("memory://", clock=clock)

    @pytest.fixture
    def advance(self, clock: MemoryClock) -> Callable[[timedelta], Awaitable[None]]:
        async def move(by: timedelta) -> None:
            clock.advance(by)

        return move


def test_one_of_many_threads_gets_it() -> None:
    lock = MemoryLock(MemoryClock())

    def ask(_: int) -> bool:
        return asyncio.run(lock.acquire("lock", ttl=timedelta(hours=1))) is not None

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(32))) == 1


async def _many_locks(lock: MemoryLock, clock: MemoryClock) -> None:
    for number in range(5000):
        assert await lock.acquire(f"lock-{number}", ttl=timedelta(seconds=1)) is not None
        clock.advance(timedelta(milliseconds=10))


def test_leases_that_nobody_asks_for_again_are_forgotten() -> None:
    clock = MemoryClock()
    lock = MemoryLock(clock)
    asyncio.run(_many_locks(lock, clock))
    assert len(lock._leases) <= 1100


@pytest.mark.parametrize("url", ["memory://here", "memory://?x=1", "redis://"])
def test_urls_that_say_more_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="memory://"):
        MemoryLock.from_url(url, clock=MemoryClock())
