"""Behind a sentinel: when the master dies or steps down, the same adapters go on with the next."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from tests.adapters.redis_waiting import MINUTE, eventually, eventually_set
from tests.servers.redis_server import RedisServer, redis_sentinels, redis_server
from tollkeeper.adapters.redis.cache import RedisCache
from tollkeeper.adapters.redis.rate_limiter import RedisRateLimiter
from tollkeeper.domain.errors import CredentialsRefused, PortError, Unavailable
from tollkeeper.domain.rate_limits import RateLimit, RateRequest

NAMED = "SENTINEL get-master-addr-by-name mymaster"
ASKED = [RateRequest("bucket", RateLimit(100, timedelta(days=1)))]


@contextmanager
def watched(*options: str) -> Iterator[tuple[RedisServer, RedisServer, RedisServer]]:
    """Run a master, a replica that is up to date, and a sentinel that knows both."""
    with redis_server(*options) as master:
        follow = ("--replicaof", "127.0.0.1", str(master.port))
        with redis_server(*follow, *options) as replica, redis_sentinels(master) as sentinel:
            replica.await_reply("INFO replication", "master_link_status:up")
            sentinel.await_reply("SENTINEL master mymaster", "num-slaves\r\n$1\r\n1")
            yield master, replica, sentinel


@pytest.mark.anyio
async def test_when_a_master_dies_its_replica_takes_over() -> None:
    with watched() as (master, _, sentinel):
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/mymaster?timeout=2"
        async with RedisCache.from_url(url) as cache, RedisRateLimiter.from_url(url) as limiter:
            await cache.set("key", b"1", ttl=MINUTE)
            assert (await limiter.take(ASKED)).remaining == 99
            await asyncio.sleep(0.1)
            master.kill()
            await eventually_set(cache, "after")
            assert await cache.get("key") == b"1"
            assert (await eventually(lambda: limiter.take(ASKED))).remaining <= 98
            assert "(sentinel) answers" in await cache.health()
            assert cache._connections.usage[0] == 0


@pytest.mark.anyio
async def test_callers_during_a_failover_are_answered_within_their_deadline() -> None:
    with watched() as (master, _, sentinel):
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/mymaster?timeout=1&pool_size=5"
        async with RedisCache.from_url(url) as cache:
            await cache.set("key", b"1", ttl=MINUTE)
            stop, slowest, answers = asyncio.Event(), 0.0, 0
            refused: set[bool] = set()

            async def ask() -> None:
                nonlocal slowest, answers
                while not stop.is_set():
                    began = time.monotonic()
                    try:
                        assert await cache.get("key") in (b"1", None)
                        answers += 1
                    except PortError as error:
                        refused.add(error.retryable)
                    slowest = max(slowest, time.monotonic() - began)
                    await asyncio.sleep(0.02)

            callers = [asyncio.ensure_future(ask()) for _ in range(20)]
            master.stop()
            try:
                await asyncio.sleep(0.1)
                await eventually_set(cache, "after")
                answers = 0
                await asyncio.sleep(0.2)
            finally:
                stop.set()
                master.go_on()
            await asyncio.gather(*callers)
            assert answers > 20
            assert refused == {True}
            # The deadline is 1 s; the rest is the slowness of a machine that others use too.
            assert slowest < 2.5


@pytest.mark.anyio
async def test_a_master_that_steps_down_is_left_by_scripts_too() -> None:
    with watched() as (master, replica, sentinel):
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/mymaster?timeout=2"
        async with RedisRateLimiter.from_url(url) as one, RedisRateLimiter.from_url(url) as many:
            for limiter in (one, many):
                assert (await limiter.take(ASKED)).allowed
            # Refused for as long as the sentinel has not heard enough of the replica.
            await asyncio.to_thread(sentinel.await_reply, "SENTINEL FAILOVER mymaster", "+OK")
            await asyncio.to_thread(replica.await_reply, "ROLE", "master")
            # As the sentinel does in the end, but that leaves the connections to it open.
            master.ask(f"REPLICAOF 127.0.0.1 {replica.port}")
            await asyncio.to_thread(sentinel.await_reply, NAMED, str(replica.port))
            assert (await eventually(lambda: one.take(ASKED))).allowed
            asking = (eventually(lambda: many.take(ASKED)) for _ in range(20))
            assert all(decision.allowed for decision in await asyncio.gather(*asking))


@pytest.mark.anyio
async def test_sentinels_that_are_down_or_know_no_such_master_are_named_as_an_outage() -> None:
    with watched() as (_, _, sentinel):
        down = "127.0.0.1:1"
        for hosts, master, is_there in (
            (f"{down},127.0.0.1:{sentinel.port}", "mymaster", True),
            (f"127.0.0.1:{sentinel.port}", "other", False),
            (down, "mymaster", False),
        ):
            url = f"redis+sentinel://{hosts}/{master}?timeout=4"
            async with RedisCache.from_url(url) as cache:
                if is_there:
                    assert await cache.get("key") is None
                    continue
                began = time.monotonic()
                with pytest.raises(Unavailable):
                    await cache.get("key")
                assert time.monotonic() - began < 6


@pytest.mark.anyio
async def test_the_password_goes_to_the_master_and_not_to_the_sentinel() -> None:
    with (
        redis_server("--requirepass", "s3cret") as master,
        redis_sentinels(master, password="s3cret") as sentinel,
    ):
        hosts = f"127.0.0.1:{sentinel.port}/mymaster"
        async with RedisCache.from_url(f"redis+sentinel://:s3cret@{hosts}") as cache:
            await cache.set("key", b"1", ttl=MINUTE)
            assert await cache.get("key") == b"1"
        async with RedisCache.from_url(f"redis+sentinel://:other@{hosts}") as cache:
            with pytest.raises(CredentialsRefused):
                await cache.get("key")
