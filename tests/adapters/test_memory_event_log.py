"""Logs in memory keep their contract, among threads too."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.event_log import MemoryEventLog
from tollkeeper.contracts.event_log import EventLogContract
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.event_logs import LogLimits


class TestMemoryEventLog(EventLogContract):
    @pytest.fixture
    def clock(self) -> MemoryClock:
        return MemoryClock()

    @pytest.fixture
    def event_log(self, clock: MemoryClock) -> MemoryEventLog:
        return MemoryEventLog.from_url("memory://", clock=clock)

    @pytest.fixture
    def advance(self, clock: MemoryClock) -> Callable[[timedelta], Awaitable[None]]:
        async def move(by: timedelta) -> None:
            clock.advance(by)

        return move


def test_a_reader_in_one_thread_gets_what_another_appends() -> None:
    event_log = MemoryEventLog(MemoryClock())

    async def read() -> list[bytes]:
        found: list[bytes] = []
        after = None
        while True:
            page = await event_log.read("log", after=after, wait=timedelta(seconds=20))
            found += [event.data for event in page.events]
            if page.ended:
                return found
            if page.events:
                after = page.events[-1].id

    async def write() -> None:
        for number in range(50):
            await event_log.append("log", [b"%d" % number])
            await asyncio.sleep(0.001)
        await event_log.end("log")

    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(asyncio.run, read()) for _ in range(3)]
        asyncio.run(write())
        assert [reader.result(30) for reader in readers] == [[b"%d" % n for n in range(50)]] * 3
    assert not event_log._waiters


async def _many_logs(event_log: MemoryEventLog, clock: MemoryClock) -> None:
    for number in range(5000):
        await event_log.append(f"log-{number}", [b"x"], limits=LogLimits(age=timedelta(seconds=1)))
        clock.advance(timedelta(milliseconds=10))


def test_logs_that_nobody_asks_for_again_are_forgotten() -> None:
    clock = MemoryClock()
    event_log = MemoryEventLog(clock)
    asyncio.run(_many_logs(event_log, clock))
    assert len(event_log._logs) <= 1500


@pytest.mark.parametrize("url", ["memory://here", "memory://?x=1", "redis://"])
def test_urls_that_say_more_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="memory://"):
        MemoryEventLog.from_url(url, clock=MemoryClock())
