"""Locks in Redis keep their contract, on one server and on a cluster, and through its failures."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.adapters.redis_time import Advance, advancing, own_namespace, plain_client
from tests.servers.redis_server import (
    redis_server,
    shared_cluster_url,
    shared_server_url,
    with_options,
)
from tollkeeper.adapters.redis.lock import RedisLock
from tollkeeper.contracts.lock import LockContract
from tollkeeper.domain.errors import ConfigurationError, PortError, Timeout, Unavailable

MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.anyio


class OnRedis(LockContract):
    @pytest.fixture
    async def lock(self, url: str) -> AsyncIterator[RedisLock]:
        async with RedisLock.from_url(url) as lock:
            yield lock

    @pytest.fixture
    async def advance(self, url: str) -> AsyncIterator[Advance]:
        async with advancing(url) as advance:
            yield advance


class TestRedisLock(OnRedis):
    @pytest.fixture
    def url(self) -> str:
        return own_namespace(shared_server_url())


class TestRedisLockOnACluster(OnRedis):
    @pytest.fixture
    def url(self) -> str:
        return own_namespace(shared_cluster_url())


async def test_a_restart_that_forgets_everything_does_not_lower_the_fencing_number() -> None:
    with redis_server() as server:
        async with RedisLock.from_url(server.url) as lock:
            before = await lock.acquire("lock", ttl=MINUTE)
            assert before is not None
            server.restart()
            assert await lock.renew(before) is False
            after = await lock.acquire("lock", ttl=MINUTE)
            assert after is not None
            assert after.fencing > before.fencing


async def test_a_clock_put_back_does_not_lower_the_fencing_number() -> None:
    url = own_namespace(shared_server_url())
    async with RedisLock.from_url(url) as lock, plain_client(url) as client:
        lease = await lock.acquire("lock", ttl=MINUTE)
        assert lease is not None
        await lock.release(lease)
        [key] = [key async for key in client.scan_iter(match="*:lock:{lock}:fencing")]
        far = lease.fencing + 10**9
        await client.set(key, far, px=60_000)
        again = await lock.acquire("lock", ttl=MINUTE)
        assert again is not None
        assert again.fencing == far + 1


async def test_a_lock_behind_a_hanging_server_answers_in_time_and_the_owner_gets_it_later() -> None:
    with redis_server() as server:
        async with RedisLock.from_url(with_options(server.url, ["timeout=0.3"])) as lock:
            assert await lock.acquire("warm", ttl=MINUTE) is not None
            server.stop()
            try:
                began = time.monotonic()
                with pytest.raises(Timeout) as caught:
                    await lock.acquire("lock", ttl=MINUTE, owner="me", wait=timedelta(seconds=1))
                assert caught.value.ambiguous
                assert time.monotonic() - began < 5
            finally:
                server.go_on()
            lease = await lock.acquire("lock", ttl=MINUTE, owner="me", wait=MINUTE)
            assert lease is not None
            assert await lock.acquire("lock", ttl=MINUTE) is None
            assert await lock.release(lease) is True


async def test_an_ambiguous_release_is_not_sent_again() -> None:
    with redis_server() as server:
        async with RedisLock.from_url(with_options(server.url, ["timeout=0.3"])) as lock:
            lease = await lock.acquire("lock", ttl=MINUTE)
            assert lease is not None
            server.stop()
            try:
                with pytest.raises(Timeout) as caught:
                    await lock.release(lease)
                assert caught.value.ambiguous
            finally:
                server.go_on()


async def test_one_cancelled_at_a_hanging_server_leaves_soon() -> None:
    with redis_server() as server:
        async with RedisLock.from_url(server.url) as lock:
            assert await lock.acquire("warm", ttl=MINUTE) is not None
            server.stop()
            try:
                asking = asyncio.ensure_future(lock.acquire("lock", ttl=MINUTE))
                await asyncio.sleep(0.1)
                asking.cancel()
                done, _ = await asyncio.wait([asking], timeout=5)
                assert done
                assert asking.cancelled()
            finally:
                server.go_on()


async def test_an_outage_is_an_error_and_no_answer() -> None:
    with redis_server() as server:
        async with RedisLock.from_url(server.url) as lock:
            lease = await lock.acquire("lock", ttl=MINUTE)
            assert lease is not None
            server.kill()
            for ask in (lock.acquire("lock", ttl=MINUTE), lock.renew(lease), lock.release(lease)):
                with pytest.raises(PortError) as caught:
                    await ask
                assert (caught.value.port, caught.value.adapter) == ("lock", "redis")


async def test_callers_cancelled_at_random_leave_the_pool_whole() -> None:
    url = own_namespace(shared_server_url(), "pool_size=5&timeout=30")
    async with RedisLock.from_url(url) as lock:
        asking = [asyncio.ensure_future(lock.acquire(f"lock-{n}", ttl=MINUTE)) for n in range(300)]
        for number, one in enumerate(asking):
            await asyncio.sleep(0)
            if number % 3:
                one.cancel()
        answers = await asyncio.gather(*asking, return_exceptions=True)
        for number, answer in enumerate(answers):
            if not isinstance(answer, BaseException):
                assert answer is not None
                assert answer.name == f"lock-{number}"
            else:
                assert isinstance(answer, asyncio.CancelledError)
        assert lock._connections.usage[0] == 0
        assert await lock.acquire("after", ttl=MINUTE) is not None


def test_two_event_loops_one_after_another_use_one_lock() -> None:
    lock = RedisLock.from_url(own_namespace(shared_server_url()))

    async def ask() -> bool:
        async with lock:
            return await lock.acquire("lock", ttl=MINUTE) is not None

    assert [asyncio.run(ask()), asyncio.run(ask())] == [True, False]


async def test_a_lock_that_is_not_open_says_so() -> None:
    with pytest.raises(Unavailable):
        await RedisLock.from_url("redis://127.0.0.1").acquire("lock", ttl=MINUTE)


def test_malformed_urls_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        RedisLock.from_url("redis://host/x")
