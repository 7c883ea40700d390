"""TLS, users and databases; the Redis of the wheel speaks no TLS, so a proxy does before it."""

import time
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.servers.certificates import (
    ANOTHER_AUTHORITY,
    AUTHORITY,
    CLIENT,
    CLIENT_KEY,
    server_context,
)
from tests.servers.redis_proxy import redis_proxy
from tests.servers.redis_server import RedisServer, redis_server, shared_cluster_url
from tollkeeper.adapters.redis.cache import RedisCache
from tollkeeper.adapters.redis.rate_limiter import RedisRateLimiter
from tollkeeper.domain.errors import CredentialsRefused, PortError, Timeout, Unavailable
from tollkeeper.domain.rate_limits import RateLimit, RateRequest

MINUTE = timedelta(minutes=1)
PASSWORD = "p@ss:w/rd%23"
QUOTED = "p%40ss%3Aw%2Frd%2523"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """Run a server that lets nobody in but ``app``, and that to its own keys only."""
    with redis_server() as server:
        server.ask("SET secret x")
        server.ask(f"ACL SETUSER app on >{PASSWORD} ~tk:* +@all -@dangerous -@admin")
        server.ask("ACL SETUSER default off")
        yield server


@asynccontextmanager
async def tls_port(server: RedisServer, **how: object) -> AsyncIterator[int]:
    async with redis_proxy(server.port, tls=server_context(**how)) as proxy:  # type: ignore[arg-type]
        yield proxy.port


@pytest.mark.anyio
async def test_a_user_with_a_password_reaches_a_database_over_tls(server: RedisServer) -> None:
    async with tls_port(server) as port:
        start = f"rediss://app:{QUOTED}@127.0.0.1:{port}"
        one, two = (RedisCache.from_url(f"{start}/{db}?ca_file={AUTHORITY}") for db in (1, 2))
        async with one, two, RedisRateLimiter.from_url(f"{start}?ca_file={AUTHORITY}") as limiter:
            await one.set("key", b"1", ttl=MINUTE)
            assert await one.get("key") == b"1"
            assert await two.get("key") is None
            assert await one.increment("key", ttl=MINUTE) == 2
            asked = [RateRequest("bucket", RateLimit(10, MINUTE))]
            assert (await limiter.take(asked)).remaining == 9
            assert "answers in" in await one.health()


@pytest.mark.anyio
async def test_a_server_that_wants_a_certificate_is_shown_one(server: RedisServer) -> None:
    async with tls_port(server, clients_must_show_theirs=True) as port:
        url = f"rediss://app:{QUOTED}@127.0.0.1:{port}?timeout=1&ca_file={AUTHORITY}"
        async with RedisCache.from_url(f"{url}&cert_file={CLIENT}&key_file={CLIENT_KEY}") as cache:
            assert await cache.get("key") is None
        async with RedisCache.from_url(url) as cache:
            with pytest.raises(Unavailable):
                await cache.get("key")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("server", ""),
        ("server", f"&ca_file={ANOTHER_AUTHORITY}"),
        ("server", "&ca_file=/there/is/no/such.pem"),
        ("elsewhere", f"&ca_file={AUTHORITY}"),
    ],
    ids=["unknown authority", "another authority", "no such file", "another name"],
)
async def test_a_server_that_cannot_be_trusted_is_not_talked_to(
    server: RedisServer, name: str, options: str
) -> None:
    async with redis_proxy(server.port, tls=server_context(name=name)) as proxy:
        url = f"rediss://app:{QUOTED}@127.0.0.1:{proxy.port}?timeout=2{options}"
        async with RedisCache.from_url(url) as cache:
            began = time.monotonic()
            with pytest.raises(Unavailable, match="ca_file") as refused:
                await cache.get("key")
            # It does not pass by itself, so that it is not tried again.
            assert time.monotonic() - began < 1
            assert proxy.answers == 0
            assert PASSWORD not in "".join(traceback.format_exception(refused.value))


@pytest.mark.anyio
async def test_tls_and_no_tls_do_not_understand_each_other_and_nobody_hangs(
    server: RedisServer,
) -> None:
    async with tls_port(server) as port:
        for url in (f"redis://127.0.0.1:{port}", f"rediss://127.0.0.1:{server.port}"):
            async with RedisCache.from_url(f"{url}?timeout=1") as cache:
                began = time.monotonic()
                with pytest.raises(PortError) as refused:
                    await cache.get("key")
                assert isinstance(refused.value, Unavailable | Timeout)
                assert time.monotonic() - began < 2


@pytest.mark.anyio
@pytest.mark.parametrize("who", ["app:wrong", "nobody:wrong", ""], ids=["password", "user", "none"])
async def test_who_may_not_come_in_is_told_so_and_not_that_nothing_is_there(
    server: RedisServer, who: str
) -> None:
    who = f"{who}@" if who else ""
    async with RedisCache.from_url(f"redis://{who}127.0.0.1:{server.port}") as cache:
        for ask in (cache.get("key"), cache.get_many(["key"]), cache.increment("k", ttl=MINUTE)):
            with pytest.raises(CredentialsRefused) as refused:
                await ask
            assert not refused.value.ambiguous
            assert "wrong" not in "".join(traceback.format_exception(refused.value))
        with pytest.raises(CredentialsRefused):
            await cache.health()


@pytest.mark.anyio
async def test_a_user_without_dangerous_commands_is_enough_in_a_cluster_too() -> None:
    hosts = shared_cluster_url().partition("://")[2]
    for host in hosts.split(","):
        node = RedisServer(int(host.partition(":")[2]), Path())
        node.ask(f"ACL SETUSER app on >{PASSWORD} ~tk:* +@all -@dangerous -@admin +cluster|slots")
    url = f"redis+cluster://app:{QUOTED}@{hosts}"
    async with RedisCache.from_url(url) as cache, RedisRateLimiter.from_url(url) as limiter:
        names = [f"key-{n}" for n in range(20)]
        for name in names:
            await cache.set(name, b"1", ttl=MINUTE)
        assert await cache.get_many(names) == dict.fromkeys(names, b"1")
        asked = [RateRequest("{acme}/of-app", RateLimit(10, MINUTE))]
        assert (await limiter.take(asked)).allowed
        assert "(cluster) answers" in await cache.health()
    async with RedisCache.from_url(f"{url}?namespace=other") as cache:
        with pytest.raises(CredentialsRefused):
            await cache.get_many(names)


@pytest.mark.anyio
async def test_keys_that_a_user_may_not_touch_are_refused(server: RedisServer) -> None:
    url = f"redis://app:{QUOTED}@127.0.0.1:{server.port}"
    async with RedisCache.from_url(f"{url}?namespace=other") as cache:
        with pytest.raises(CredentialsRefused) as refused:
            await cache.get("key")
        assert refused.value.provider_code == "NOPERM"
    async with RedisCache.from_url(url) as cache:
        await cache.set("key", b"1", ttl=MINUTE)
        assert await cache.delete("key") is True
