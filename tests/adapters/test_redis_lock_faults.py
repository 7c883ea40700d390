"""Work under a lock in Redis while its holder dies, Redis hangs, or replies are lost."""

import asyncio
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.adapters.redis_time import own_namespace
from tests.servers.redis_server import (
    redis_server,
    shared_cluster_url,
    shared_server_url,
    with_options,
)
from tests.servers.tcp_proxy import Fault, tcp_proxy
from tollkeeper.adapters.redis.lock import RedisLock
from tollkeeper.application.locks import Locks
from tollkeeper.domain.errors import PortError
from tollkeeper.domain.locks import LeaseLost

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
ROOT = Path(__file__).parents[2]


async def work_until_lost(locks: Locks, began: asyncio.Event) -> None:
    async with locks.hold("lock", ttl=SECOND):
        began.set()
        await asyncio.sleep(60)


@pytest.mark.anyio
@pytest.mark.parametrize("cluster", [False, True])
async def test_the_lock_of_a_process_that_died_is_free_after_its_ttl(*, cluster: bool) -> None:
    url = own_namespace(shared_cluster_url() if cluster else shared_server_url())
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.adapters.redis_lock_holder", url, "lock", "1"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        fence = int(await process.stdout.readline())
        async with RedisLock.from_url(url) as lock:
            # It is renewed for as long as its holder lives.
            assert await lock.acquire("lock", ttl=MINUTE, wait=1.3 * SECOND) is None
            process.kill()
            began = time.monotonic()
            lease = await lock.acquire("lock", ttl=MINUTE, wait=20 * SECOND)
            assert lease is not None
            assert lease.fencing > fence
            assert time.monotonic() - began < 5
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.anyio
async def test_a_holder_notices_that_it_cannot_renew_before_another_can_have_it() -> None:
    with redis_server() as server:
        async with RedisLock.from_url(with_options(server.url, ["timeout=0.3"])) as lock:
            began = asyncio.Event()
            working = asyncio.ensure_future(work_until_lost(Locks(lock), began))
            await began.wait()
            server.stop()
            try:
                stopped = time.monotonic()
                with pytest.raises(LeaseLost):
                    await working
                assert time.monotonic() - stopped < 4
            finally:
                server.go_on()


@pytest.mark.anyio
async def test_a_holder_notices_that_redis_forgot_its_lock() -> None:
    with redis_server() as server:
        async with RedisLock.from_url(server.url) as lock:
            began = asyncio.Event()
            working = asyncio.ensure_future(work_until_lost(Locks(lock), began))
            await began.wait()
            await asyncio.to_thread(server.restart)
            with pytest.raises(LeaseLost):
                await asyncio.wait_for(working, 10)
            assert await lock.acquire("lock", ttl=MINUTE) is not None


@pytest.mark.anyio
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.SWALLOWED])
async def test_a_lost_reply_costs_a_holder_nothing(fault: Fault) -> None:
    with redis_server() as server:
        async with (
            tcp_proxy(server.port) as proxy,
            RedisLock.from_url(f"redis://127.0.0.1:{proxy.port}?timeout=0.3") as lock,
            RedisLock.from_url(server.url) as other,
        ):
            async with Locks(lock).hold("lock", ttl=2 * SECOND) as held:
                for _ in range(2):
                    seen, proxy.fault = proxy.faults, fault
                    async with asyncio.timeout(10):
                        while proxy.faults == seen:
                            await asyncio.sleep(0.01)
                    proxy.fault = Fault.NONE
                    proxy.break_off()
                    await asyncio.sleep(1)
                    assert await other.acquire("lock", ttl=MINUTE) is None
            assert not held.lost
            assert held.release_error is None
            assert await other.acquire("lock", ttl=MINUTE) is not None


@pytest.mark.anyio
async def test_who_asks_through_an_outage_with_the_same_owner_gets_one_lease() -> None:
    with redis_server() as server:
        async with (
            tcp_proxy(server.port) as proxy,
            RedisLock.from_url(f"redis://127.0.0.1:{proxy.port}?timeout=0.2") as lock,
        ):
            assert await lock.acquire("warm", ttl=MINUTE) is not None
            proxy.fault = Fault.SWALLOWED
            with pytest.raises(PortError) as lost:
                await lock.acquire("lock", ttl=MINUTE, owner="me")
            assert lost.value.ambiguous
            proxy.fault = Fault.NONE
            first = await lock.acquire("lock", ttl=MINUTE, owner="me")
            assert first is not None
            assert await lock.acquire("lock", ttl=MINUTE, owner="me") == first
            assert await lock.acquire("lock", ttl=MINUTE) is None
