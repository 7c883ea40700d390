"""The Redis cache keeps the cache's contract: on one server, a cluster of three, and a sentinel."""

import asyncio
from datetime import timedelta

import pytest

from tests.adapters.redis_suites import CacheSuite
from tests.adapters.redis_time import own_namespace, plain_client
from tests.servers.redis_server import (
    redis_server,
    shared_cluster_url,
    shared_sentinel_url,
    shared_server_url,
)
from tollkeeper.adapters.redis.cache import RedisCache
from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.domain.errors import ConfigurationError, Conflict, Unavailable

MINUTE = timedelta(minutes=1)


class TestRedisCache(CacheSuite):
    @pytest.fixture
    def url(self) -> str:
        return shared_server_url()


class TestRedisCacheOnACluster(CacheSuite):
    @pytest.fixture
    def url(self) -> str:
        return shared_cluster_url()


class TestRedisCacheThroughASentinel(CacheSuite):
    @pytest.fixture
    def url(self) -> str:
        return shared_sentinel_url()


@pytest.mark.anyio
async def test_namespaces_do_not_meet() -> None:
    one, two = (RedisCache.from_url(own_namespace(shared_server_url())) for _ in range(2))
    async with one, two:
        await one.set("key", b"value", ttl=MINUTE)
        assert await two.get("key") is None
        assert "answers in" in await one.health()


@pytest.mark.anyio
async def test_every_key_is_in_the_namespace_and_runs_out() -> None:
    url = own_namespace(shared_server_url())
    async with RedisCache.from_url(url) as cache, plain_client(url) as client:
        await cache.set("set", b"1", ttl=MINUTE)
        await cache.add("added", b"1", ttl=timedelta(microseconds=1500))
        await cache.increment("counted", ttl=MINUTE)
        await cache.set("longer", b"1", ttl=MINUTE)
        await cache.expire("longer", ttl=2 * MINUTE)
        namespace = url.partition("namespace=")[2]
        left = {
            name.decode(): await client.pttl(name)
            async for name in client.scan_iter(match=f"*{namespace}*")
        }
        assert all(name.startswith(f"{namespace}:cache:") for name in left)
        # One lives so short that it may be gone (-2) by now; -1 would mean for ever.
        assert all(ms == -2 or 0 < ms <= 120_000 for ms in left.values()), left
        assert left[f"{namespace}:cache:longer"] > 60_000


@pytest.mark.anyio
async def test_what_redis_cannot_count_is_told_from_what_is_no_number() -> None:
    with redis_server() as server:
        async with RedisCache.from_url(f"{server.url}?timeout=0.5") as cache:
            assert await cache.increment("count", ttl=MINUTE) == 1
            await cache.set("text", b"x", ttl=MINUTE)
            with pytest.raises(Conflict):
                await cache.increment("text", ttl=MINUTE)
            server.ask("CONFIG SET maxmemory 1")
            for key in ("count", "text", "new"):
                with pytest.raises(Unavailable) as full:
                    await cache.increment(key, ttl=MINUTE)
                assert (full.value.provider_code, full.value.ambiguous) == ("OOM", False)
            server.ask("CONFIG SET maxmemory 0")
            assert await cache.increment("count", ttl=MINUTE) == 2
            server.ask(f"REPLICAOF 127.0.0.1 {server.port}")
            with pytest.raises(Unavailable) as demoted:
                await cache.increment("count", ttl=MINUTE)
            assert (demoted.value.provider_code, demoted.value.ambiguous) == ("READONLY", False)


@pytest.mark.anyio
async def test_a_thousand_keys_cost_one_connection_of_each_node() -> None:
    url = own_namespace(shared_cluster_url(), "pool_size=1", "timeout=10")
    async with RedisConnections.from_url(url, port="cache") as connections:
        cache = RedisCache(connections)
        names = [f"key-{number}" for number in range(1000)]
        await asyncio.gather(*(cache.set(n, n.encode(), ttl=MINUTE) for n in names[::2]))
        assert len({connections.node_of(connections.key("cache", name)) for name in names}) == 3
        found = await cache.get_many(names)
        assert found == {name: name.encode() for name in names[::2]}
        # One for the commands and one that asked for the slots, on each node at most.
        assert connections.usage[0] == 0
        assert connections.usage[1] <= 3


@pytest.mark.parametrize("option", ["pool_size=none", "timeout=0", "sharding=1", "tls=maybe"])
def test_a_malformed_url_is_refused(option: str) -> None:
    with pytest.raises(ConfigurationError, match=option.partition("=")[0]):
        RedisCache.from_url(f"redis://localhost?{option}")
