"""What happens when Redis hangs, dies, loses replies, and callers leave: nothing is mixed up."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.adapters.redis_time import own_namespace
from tests.adapters.redis_waiting import MINUTE, eventually_set
from tests.servers.redis_proxy import redis_proxy
from tests.servers.redis_server import redis_server, shared_cluster_url, shared_server_url
from tollkeeper.adapters.redis.cache import RedisCache
from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.adapters.redis.rate_limiter import RedisRateLimiter
from tollkeeper.domain.errors import PortError, Timeout, Unavailable
from tollkeeper.domain.rate_limits import RateLimit, RateRequest


@pytest.mark.anyio
async def test_while_redis_hangs_everyone_is_answered_in_time_and_the_pool_is_whole_after() -> None:
    with redis_server() as server:
        url = f"{server.url}?pool_size=5&timeout=0.4"
        async with RedisConnections.from_url(url, port="cache") as connections:
            cache = RedisCache(connections)
            await cache.set("key", b"1", ttl=MINUTE)
            server.stop()
            began = time.monotonic()
            ended = await asyncio.gather(
                *(cache.get("key") for _ in range(50)), return_exceptions=True
            )
            assert all(isinstance(end, PortError) and end.retryable for end in ended)
            assert time.monotonic() - began < 3
            with pytest.raises(Unavailable) as refused:
                await cache.get("key")
            assert refused.value.code == "circuit_open"
            server.go_on()
            await eventually_set(cache, "key")
            assert await asyncio.gather(*(cache.get("key") for _ in range(50))) == [b"1"] * 50
            in_use, idle = connections.usage
            assert in_use == 0
            assert 1 <= idle <= 5


@pytest.mark.anyio
async def test_a_restart_during_load_is_ridden_out_and_the_pool_is_whole_after() -> None:
    with redis_server() as server:
        url = f"{server.url}?pool_size=10&timeout=1"
        async with RedisConnections.from_url(url, port="cache") as connections:
            cache = RedisCache(connections)
            stop = asyncio.Event()
            ends: list[object] = []

            async def load(name: str) -> None:
                while not stop.is_set():
                    began = time.monotonic()
                    try:
                        await cache.set(name, name.encode(), ttl=MINUTE)
                        assert await cache.get(name) in (name.encode(), None)
                        ends.append("ok")
                    except PortError as error:
                        ends.append(type(error))
                        await asyncio.sleep(0.02)
                    assert time.monotonic() - began < 4

            tasks = [asyncio.ensure_future(load(f"key-{n}")) for n in range(30)]
            await asyncio.sleep(0.2)
            server.kill()
            await asyncio.sleep(0.3)
            await asyncio.to_thread(server.start)
            await eventually_set(cache, "after")
            assert set(ends) - {"ok"} <= {Unavailable, Timeout}
            assert len(set(ends)) > 1
            ends.clear()
            await asyncio.sleep(0.3)
            stop.set()
            await asyncio.gather(*tasks)
            assert ends
            assert set(ends) == {"ok"}
            assert connections.usage[0] == 0
            assert connections.usage[1] <= 10


@pytest.mark.anyio
@pytest.mark.parametrize("url", [shared_server_url, shared_cluster_url], ids=["one", "cluster"])
async def test_three_hundred_who_leave_under_load_mix_up_no_reply(url: Callable[[], str]) -> None:
    async with RedisConnections.from_url(
        own_namespace(url(), "pool_size=5", "timeout=10"), port="cache"
    ) as connections:
        cache = RedisCache(connections)
        names = [f"key-{n}" for n in range(50)]
        for name in names:
            await cache.set(name, name.encode(), ttl=MINUTE)
        wrong = right = left = 0

        async def ask(turn: int) -> None:
            nonlocal wrong, right
            name = names[turn % 50]
            found = await cache.get(name)
            right, wrong = right + (found == name.encode()), wrong + (found != name.encode())

        for turn in range(300):
            leaver = asyncio.ensure_future(ask(turn))
            others = [asyncio.ensure_future(ask(turn + k)) for k in (1, 2, 3)]
            for _ in range(turn % 12):
                await asyncio.sleep(0)
            leaver.cancel()
            left += 1
            await asyncio.gather(*others)
            await asyncio.gather(leaver, return_exceptions=True)
        assert (wrong, left) == (0, 300)
        assert right >= 900
        assert connections.usage[0] == 0


@pytest.mark.anyio
@pytest.mark.parametrize("breaks", [False, True], ids=["swallowed", "broken off"])
async def test_a_lost_reply_never_counts_twice(*, breaks: bool) -> None:
    with redis_server() as server:
        async with redis_proxy(server.port) as proxy:
            url = f"redis://127.0.0.1:{proxy.port}?timeout=0.3"
            async with RedisCache.from_url(url) as cache, RedisCache.from_url(server.url) as sees:
                assert await cache.increment("key", ttl=MINUTE) == 1
                for done in (2, 3):
                    # Connected anew: else the greeting is what is lost, and nothing is sent.
                    assert await cache.get("key") == str(done - 1).encode()
                    proxy.swallows, proxy.breaks = not breaks, breaks
                    with pytest.raises(PortError) as lost:
                        await cache.increment("key", ttl=MINUTE)
                    assert lost.value.ambiguous
                    assert type(lost.value) is (Unavailable if breaks else Timeout)
                    proxy.swallows = proxy.breaks = False
                    await asyncio.sleep(0.05)
                    assert await sees.get("key") == str(done).encode()
                assert await cache.increment("key", ttl=MINUTE) == 4


@pytest.mark.anyio
async def test_what_may_be_sent_twice_survives_a_lost_reply() -> None:
    with redis_server() as server:
        async with (
            redis_proxy(server.port) as proxy,
            RedisCache.from_url(f"redis://127.0.0.1:{proxy.port}") as cache,
        ):
            await cache.set("key", b"1", ttl=MINUTE)
            proxy.breaks = True
            asked = asyncio.ensure_future(cache.get("key"))
            before = proxy.answers
            while proxy.answers == before:
                await asyncio.sleep(0.001)
            proxy.breaks = False
            assert await asked == b"1"


@pytest.mark.anyio
async def test_a_lost_decision_is_an_ambiguous_error_and_counted_once() -> None:
    asked = [RateRequest("bucket", RateLimit(10, timedelta(days=1)))]
    with redis_server() as server:
        async with redis_proxy(server.port) as proxy:
            url = f"redis://127.0.0.1:{proxy.port}?timeout=0.3"
            async with RedisRateLimiter.from_url(url) as limiter:
                assert (await limiter.take(asked)).remaining == 9
                proxy.swallows = True
                with pytest.raises(Timeout) as lost:
                    await limiter.take(asked)
                assert lost.value.ambiguous
                proxy.swallows = False
                assert (await limiter.take(asked)).remaining == 7


@pytest.mark.anyio
async def test_a_deadline_is_of_the_operation_and_not_of_each_command() -> None:
    with redis_server() as server:
        async with redis_proxy(server.port) as proxy:
            url = f"redis://127.0.0.1:{proxy.port}?timeout=0.5"
            async with RedisCache.from_url(url) as cache, RedisCache.from_url(server.url) as sees:
                await cache.set("key", b"1", ttl=MINUTE)
                proxy.delay = 0.2
                assert await cache.get("key") == b"1"
                # The script is not known yet: it takes two commands, and each is slow.
                proxy.delay = 0.35
                began = time.monotonic()
                with pytest.raises(Timeout) as late:
                    await cache.increment("count", ttl=MINUTE)
                assert 0.45 < time.monotonic() - began < 0.69
                assert late.value.ambiguous
                proxy.delay = 0.0
                await asyncio.sleep(0.4)
                assert await cache.get("key") == b"1"
                assert await sees.get("count") in (b"1", None)
                assert cache._connections.usage[0] == 0


@pytest.mark.anyio
async def test_a_thousand_who_wait_for_a_limiter_that_hangs_are_each_answered_in_time() -> None:
    asked = [RateRequest("bucket", RateLimit(100_000, timedelta(days=1)))]
    with redis_server() as server:
        async with RedisRateLimiter.from_url(f"{server.url}?timeout=0.5") as limiter:
            assert (await limiter.take(asked)).remaining == 99_999
            took: list[float] = []

            async def ask(late: float) -> object:
                await asyncio.sleep(late)
                began = time.monotonic()
                ended = await asyncio.gather(limiter.take(asked), return_exceptions=True)
                took.append(time.monotonic() - began)
                return ended[0]

            server.stop()
            try:
                ends = await asyncio.gather(*(ask(n % 10 / 20) for n in range(1000)))
            finally:
                server.go_on()
            assert all(isinstance(end, PortError) and end.retryable for end in ends)
            assert max(took) < 1.2
            certain = sum(isinstance(end, PortError) and not end.ambiguous for end in ends)
            assert certain > 500
            await asyncio.sleep(1.1)  # the breaker's pause
            left = (await limiter.take(asked)).remaining
            # Whoever was told for certain that it was not counted was not.
            assert 99_998 - (1000 - certain) <= left <= 99_998


@pytest.mark.anyio
async def test_after_faults_no_task_and_no_connection_is_left() -> None:
    before = asyncio.all_tasks()
    with redis_server() as server:
        async with redis_proxy(server.port) as proxy:
            url = f"redis://127.0.0.1:{proxy.port}?timeout=0.3&pool_size=4"
            async with RedisCache.from_url(url) as cache, RedisRateLimiter.from_url(url) as limiter:
                for fault in ("swallows", "breaks", None):
                    if fault:
                        setattr(proxy, fault, True)
                    asked = [RateRequest("bucket", RateLimit(100, timedelta(days=1)))]
                    await asyncio.gather(
                        *(cache.get(f"key-{n}") for n in range(40)),
                        *(cache.increment(f"n-{n}", ttl=MINUTE) for n in range(10)),
                        *(limiter.take(asked) for _ in range(20)),
                        return_exceptions=True,
                    )
                    if fault:
                        setattr(proxy, fault, False)
                    assert cache._connections.usage[0] == 0
                    assert proxy.connections <= 2 * 4
            await asyncio.sleep(0.1)
            assert proxy.connections == 0
        assert "connected_clients:1\r" in server.ask("INFO clients")
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() <= before
