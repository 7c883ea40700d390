"""The connections: bounded, patient for a while, apart for those who block, and open or not."""

import asyncio
import re
import time
from datetime import timedelta
from typing import Any

import pytest

from tests.adapters.redis_time import own_namespace
from tests.adapters.redis_waiting import MINUTE, eventually
from tests.servers.redis_proxy import redis_proxy
from tests.servers.redis_server import redis_server, shared_cluster_url, shared_server_url
from tollkeeper.adapters.redis.cache import RedisCache
from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.domain.errors import PoolExhausted, PortError, Unavailable

SECOND = timedelta(seconds=1)


def connections(url: str, *options: str) -> RedisConnections:
    return RedisConnections.from_url(own_namespace(url, *options), port="cache")


@pytest.mark.anyio
@pytest.mark.parametrize("on", ["one", "cluster"])
async def test_many_callers_share_a_few_connections(on: str) -> None:
    url = shared_server_url() if on == "one" else shared_cluster_url()
    async with connections(url, "pool_size=3", "timeout=10") as to:
        cache = RedisCache(to)
        names = [f"key-{n}" for n in range(300)]
        await asyncio.gather(*(cache.set(name, name.encode(), ttl=MINUTE) for name in names))
        found = await asyncio.gather(*(cache.get(name) for name in names))
        assert found == [name.encode() for name in names]
        in_use, idle = to.usage
        assert in_use == 0
        assert 1 <= idle <= (3 if on == "one" else 9)


@pytest.mark.anyio
async def test_whoever_waits_too_long_for_a_connection_is_told_that_the_pool_is_busy() -> None:
    with redis_server() as server:
        async with redis_proxy(server.port) as proxy:
            url = f"redis://127.0.0.1:{proxy.port}?pool_size=1&timeout=2&acquire_timeout=0.1"
            async with RedisCache.from_url(url) as cache:
                assert await cache.get("key") is None
                proxy.delay = 0.5
                slow = asyncio.ensure_future(cache.get("key"))
                await asyncio.sleep(0.05)
                began = time.monotonic()
                for ask in (cache.get("key"), cache.increment("key", ttl=MINUTE)):
                    with pytest.raises(PoolExhausted, match="pool_size") as busy:
                        await ask
                    assert (busy.value.retryable, busy.value.ambiguous) == (True, False)
                assert time.monotonic() - began < 0.4
                assert await slow is None
                # A busy pool is no outage: nobody is kept away.
                proxy.delay = 0.0
                assert await cache.increment("key", ttl=MINUTE) == 1


@pytest.mark.anyio
async def test_those_who_block_keep_nobody_waiting() -> None:
    async with connections(shared_server_url(), "pool_size=1", "timeout=1") as to:
        cache, key = RedisCache(to), to.key("test", "list")

        async def pop() -> Any:
            return await to.run_blocking(
                lambda client: client.execute_command("BLPOP", key, 3),
                longest_block=3 * SECOND,
            )

        blocked = asyncio.ensure_future(pop())
        await asyncio.sleep(0.1)
        began = time.monotonic()
        for number in range(20):
            await cache.set("key", str(number).encode(), ttl=MINUTE)
        assert time.monotonic() - began < 1
        # It blocks for longer than the timeout of an operation, and is answered all the same.
        await asyncio.sleep(1.1)
        assert not blocked.done()
        await to.run(lambda client: client.execute_command("RPUSH", key, "x"), idempotent=False)
        assert list(await blocked) == [key.encode(), b"x"]


@pytest.mark.anyio
@pytest.mark.parametrize("on", ["one", "cluster"])
async def test_health_tells_latency_and_how_full_the_pool_is(on: str) -> None:
    url = shared_server_url() if on == "one" else shared_cluster_url()
    async with connections(url, "pool_size=7") as to:
        await RedisCache(to).get("key")
        said = re.fullmatch(
            r"Redis \((single|cluster)\) answers in (\d+\.\d) ms; (\d+) of 7 connections in use"
            r"(?: to each node)?, (\d+) idle",
            await to.health(),
        )
        assert said is not None
        assert float(said[2]) > 0
        assert (said[3], int(said[4]) >= 1) == ("0", True)


@pytest.mark.anyio
async def test_a_host_starts_while_redis_is_down_and_health_says_so_until_it_is_back() -> None:
    with redis_server() as server:
        server.kill()
        async with RedisCache.from_url(f"{server.url}?timeout=0.5") as cache:
            for _ in range(6):
                with pytest.raises(Unavailable):
                    await cache.get("key")
            with pytest.raises(Unavailable, match="several times") as refused:
                await cache.get("key")
            assert (refused.value.code, refused.value.ambiguous) == ("circuit_open", False)
            assert refused.value.retry_after is not None
            assert timedelta(0) < refused.value.retry_after <= SECOND
            with pytest.raises(Unavailable, match="cannot be reached"):
                await cache.health()
            await asyncio.to_thread(server.start)
            # It asks whatever the breaker says, and then the others may ask again.
            assert "answers in" in await cache.health()
            assert await cache.get("key") is None


@pytest.mark.anyio
async def test_while_a_probe_is_out_one_caller_asks_and_the_others_are_told_to_wait() -> None:
    with redis_server() as server:
        async with redis_proxy(server.port) as proxy:
            url = f"redis://127.0.0.1:{proxy.port}?timeout=0.2"
            async with RedisCache.from_url(url) as cache:
                await cache.get("key")
                proxy.swallows = True
                await asyncio.gather(*(cache.get("key") for _ in range(5)), return_exceptions=True)
                await asyncio.sleep(1.05)
                before = proxy.answers
                ended = await asyncio.gather(
                    *(cache.get("key") for _ in range(30)), return_exceptions=True
                )
                codes = [end.code for end in ended if isinstance(end, PortError)]
                assert len(codes) == 30
                assert codes.count("circuit_open") == 29
                assert proxy.answers - before <= 4
                proxy.swallows = False
                assert await eventually(lambda: cache.get("key")) is None


@pytest.mark.anyio
async def test_outside_of_its_block_it_is_not_open() -> None:
    cache = RedisCache.from_url(own_namespace(shared_server_url()))
    for ask in (cache.get("key"), cache.health()):
        with pytest.raises(Unavailable) as closed:
            await ask
        assert closed.value.code == "not_open"
    async with cache:
        assert await cache.get("key") is None
    with pytest.raises(Unavailable):
        await cache.get("key")


def test_one_cache_serves_two_event_loops_one_after_another() -> None:
    cache = RedisCache.from_url(own_namespace(shared_server_url()))

    async def use() -> bytes | None:
        async with cache:
            found = await cache.get("key")
            await cache.set("key", b"1", ttl=MINUTE)
            return found

    assert asyncio.run(use()) is None
    assert asyncio.run(use()) == b"1"


@pytest.mark.anyio
async def test_two_at_once_do_not_close_each_other() -> None:
    url = own_namespace(shared_server_url())
    async with RedisCache.from_url(url) as one:
        async with RedisCache.from_url(url) as two:
            await two.set("key", b"1", ttl=MINUTE)
        assert await one.get("key") == b"1"
