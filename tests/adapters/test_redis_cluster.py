"""On a cluster: a node that hangs or dies keeps nobody from the others, and is replaced."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from tests.adapters.redis_waiting import MINUTE, eventually
from tests.servers.redis_server import RedisCluster, RedisServer, redis_cluster
from tollkeeper.adapters.redis.cache import RedisCache
from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.adapters.redis.rate_limiter import RedisRateLimiter
from tollkeeper.domain.errors import PortError, Unavailable
from tollkeeper.domain.rate_limits import RateLimit, RateRequest

LIMIT = RateLimit(1_000_000, timedelta(days=1))
TAGS = [f"tenant-{number}" for number in range(40)]
PARTIAL = ("--cluster-require-full-coverage", "no")
QUICK = ("--cluster-node-timeout", "500")


def on_node(connections: RedisConnections, server: RedisServer, *, there: bool) -> list[str]:
    """Return the tags whose keys lie on *server*, or those that do not."""
    names = {tag: connections.node_of(connections.key("cache", f"{{{tag}}}:k")) for tag in TAGS}
    return [tag for tag, node in names.items() if node.endswith(f":{server.port}") is there]


@contextmanager
def standing_still(server: RedisServer) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.go_on()


async def _ask_all(cache: RedisCache, tags: list[str]) -> tuple[float, list[object]]:
    """Ask for the keys of *tags* at once; return how long it took, and what came of each."""
    began = time.monotonic()
    asking = (cache.get(f"{{{tag}}}:k") for tag in tags)
    ended = await asyncio.gather(*asking, return_exceptions=True)
    return time.monotonic() - began, list(ended)


@pytest.mark.anyio
async def test_a_node_that_hangs_keeps_nobody_from_the_others() -> None:
    with redis_cluster(options=PARTIAL) as cluster:
        hung = cluster.servers[0]
        url = f"{cluster.url}?timeout=1&pool_size=2"
        async with (
            RedisConnections.from_url(url, port="cache") as connections,
            RedisConnections.from_url(url, port="rate_limiter") as others,
        ):
            cache, limiter = RedisCache(connections), RedisRateLimiter(others)
            for tag in TAGS:
                await cache.set(f"{{{tag}}}:k", tag.encode(), ttl=MINUTE)
                assert (await limiter.take([RateRequest(f"{{{tag}}}", LIMIT)])).allowed
            away = on_node(connections, hung, there=True)
            well = on_node(connections, hung, there=False)
            assert len(away) > 3
            with standing_still(hung):
                lost = asyncio.ensure_future(_ask_all(cache, away))
                checks = [
                    asyncio.ensure_future(limiter.take([RateRequest(f"{{{tag}}}", LIMIT)]))
                    for tag in away
                ]
                await asyncio.sleep(0.1)
                # They share the client with those who wait for the node that hangs.
                took, ended = await _ask_all(cache, well)
                assert ended == [tag.encode() for tag in well]
                asking = (limiter.take([RateRequest(f"{{{tag}}}", LIMIT)]) for tag in well)
                assert all(decision.allowed for decision in await asyncio.gather(*asking))
                assert took < 0.9
                took, ended = await lost
                assert all(isinstance(end, PortError) and end.retryable for end in ended)
                assert took < 2.5
                refused = await asyncio.gather(*checks, return_exceptions=True)
                assert all(isinstance(end, PortError) and end.retryable for end in refused)
                with pytest.raises(PortError) as whole:
                    await cache.get_many([f"{{{tag}}}:k" for tag in TAGS])
                assert whole.value.retryable
            found = await eventually(lambda: cache.get_many([f"{{{tag}}}:k" for tag in TAGS]))
            assert found == {f"{{{tag}}}:k": tag.encode() for tag in TAGS}
            assert connections.usage[0] == others.usage[0] == 0
            assert connections.usage[1] <= 3 * 3


@pytest.mark.soak
@pytest.mark.anyio
async def test_while_a_node_hangs_for_long_the_others_answer_all_the_time() -> None:
    with redis_cluster(options=PARTIAL) as cluster:
        hung = cluster.servers[2]
        url = f"{cluster.url}?timeout=2&pool_size=5"
        async with RedisConnections.from_url(url, port="cache") as to:
            cache = RedisCache(to)
            for tag in TAGS:
                await cache.set(f"{{{tag}}}:k", tag.encode(), ttl=MINUTE)
            away, well = on_node(to, hung, there=True), on_node(to, hung, there=False)
            until, slowest, ends = time.monotonic() + 6, 0.0, 0

            async def ask_the_hung_one(tag: str) -> None:
                while time.monotonic() < until:
                    took, ended = await _ask_all(cache, [tag])
                    assert isinstance(ended[0], PortError)
                    assert took < 3.5
                    await asyncio.sleep(0.05)

            async def ask_the_others(tag: str) -> None:
                nonlocal slowest, ends
                while time.monotonic() < until:
                    took, ended = await _ask_all(cache, [tag])
                    assert ended == [tag.encode()]
                    slowest, ends = max(slowest, took), ends + 1
                    await asyncio.sleep(0.02)

            with standing_still(hung):
                await asyncio.gather(*map(ask_the_hung_one, away), *map(ask_the_others, well))
            assert ends > 500
            # Nobody waited for the node that hangs, not even while the slots were asked for.
            assert slowest < 0.9
            assert to.usage[0] == 0


@pytest.mark.anyio
async def test_a_node_that_died_is_taken_up_again_when_it_is_back() -> None:
    with redis_cluster(options=(*PARTIAL, *QUICK)) as cluster:
        async with RedisConnections.from_url(f"{cluster.url}?timeout=1", port="cache") as to:
            cache, limiter = RedisCache(to), RedisRateLimiter(to)
            for tag in TAGS:
                await cache.set(f"{{{tag}}}:k", tag.encode(), ttl=MINUTE)
            dead = cluster.servers[1]
            away, well = on_node(to, dead, there=True), on_node(to, dead, there=False)
            dead.kill()
            for _ in range(3):
                _, ended = await _ask_all(cache, TAGS)
                by_tag = dict(zip(TAGS, ended, strict=True))
                assert [by_tag[tag] for tag in well] == [tag.encode() for tag in well]
                assert all(isinstance(by_tag[tag], Unavailable) for tag in away)
            checks = (limiter.take([RateRequest(f"{{{tag}}}", LIMIT)]) for tag in TAGS)
            decided = await asyncio.gather(*checks, return_exceptions=True)
            assert sum(isinstance(end, PortError) for end in decided) == len(away)
            assert not any(isinstance(end, PortError) and end.ambiguous for end in decided)
            await asyncio.to_thread(dead.start)
            for tag in away:
                asked = [RateRequest(f"{{{tag}}}", LIMIT)]
                assert (await eventually(lambda asked=asked: limiter.take(asked))).allowed  # type: ignore[misc]


def _master_of(cluster: RedisCluster, connections: RedisConnections, tag: str) -> RedisServer:
    node = connections.node_of(connections.key("cache", f"{{{tag}}}:k"))
    return next(server for server in cluster.servers if node.endswith(f":{server.port}"))


@pytest.mark.soak
@pytest.mark.anyio
@pytest.mark.parametrize("hangs", [False, True], ids=["dies", "hangs"])
async def test_a_replica_takes_over_from_a_node(*, hangs: bool) -> None:
    tag = TAGS[0]
    with redis_cluster(replicas=1, options=QUICK) as cluster:
        async with (
            RedisConnections.from_url(f"{cluster.url}?timeout=1", port="cache") as to,
            RedisRateLimiter.from_url(f"{cluster.url}?timeout=1") as limiter,
        ):
            cache = RedisCache(to)
            await cache.set(f"{{{tag}}}:k", b"1", ttl=MINUTE)

            async def check_at_once() -> None:
                """Ask ten questions in one pipeline: they too must notice that the slots moved."""
                asking = (limiter.take([RateRequest(f"{{{tag}}}/{n}", LIMIT)]) for n in range(10))
                ended = await asyncio.gather(*asking, return_exceptions=True)
                for end in ended:
                    if isinstance(end, PortError):
                        raise end
                    assert not isinstance(end, BaseException)

            await check_at_once()
            await asyncio.sleep(0.3)  # replicas copy a moment later
            master = _master_of(cluster, to, tag)
            (master.stop if hangs else master.kill)()
            try:
                assert await eventually(lambda: cache.get(f"{{{tag}}}:k"), within=20) == b"1"
                await eventually(check_at_once, within=20)
                await eventually(lambda: cache.increment(f"{{{tag}}}:n", ttl=MINUTE), within=20)
                assert _master_of(cluster, to, tag) is not master
            finally:
                if hangs:
                    master.go_on()
            assert to.usage[0] == 0
