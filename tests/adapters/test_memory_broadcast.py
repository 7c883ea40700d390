"""Broadcasts in memory keep their contract, among threads too."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tollkeeper.adapters.memory.broadcast import MemoryBroadcast
from tollkeeper.contracts.broadcast import BroadcastContract
from tollkeeper.domain.broadcasts import BroadcastMessage
from tollkeeper.domain.errors import ConfigurationError


class TestMemoryBroadcast(BroadcastContract):
    @pytest.fixture
    def broadcast(self) -> MemoryBroadcast:
        return MemoryBroadcast.from_url("memory://")

    @pytest.fixture
    def elsewhere(self, broadcast: MemoryBroadcast) -> MemoryBroadcast:
        return broadcast


def test_those_in_other_threads_hear_it_too() -> None:
    broadcast = MemoryBroadcast()
    ready = threading.Barrier(4, timeout=20)

    async def hear() -> list[bytes]:
        async with asyncio.timeout(20), broadcast.subscribe("topic") as subscription:
            await asyncio.to_thread(ready.wait)
            found = []
            for _ in range(100):
                item = await anext(subscription)
                assert isinstance(item, BroadcastMessage)
                found.append(item.data)
            return found

    async def tell() -> None:
        for number in range(100):
            await broadcast.publish("topic", b"%d" % number)

    with ThreadPoolExecutor(3) as threads:
        hearing = [threads.submit(asyncio.run, hear()) for _ in range(3)]
        ready.wait()
        asyncio.run(tell())
        assert [one.result(30) for one in hearing] == [[b"%d" % n for n in range(100)]] * 3
    assert not broadcast._subscriptions


@pytest.mark.parametrize("url", ["memory://here", "memory://?x=1", "redis://"])
def test_urls_that_say_more_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="memory://"):
        MemoryBroadcast.from_url(url)
