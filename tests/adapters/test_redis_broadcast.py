"""Broadcasts through Redis keep their contract, on one server and on a cluster."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator

import pytest

from tests.adapters.redis_time import own_namespace, plain_client
from tests.servers.redis_server import redis_server, shared_cluster_url, shared_server_url
from tollkeeper.adapters.redis.broadcast import RedisBroadcast
from tollkeeper.contracts.broadcast import BroadcastContract
from tollkeeper.domain.broadcasts import BroadcastGap, BroadcastMessage
from tollkeeper.domain.errors import ConfigurationError, CredentialsRefused, Unavailable


class OnRedis(BroadcastContract):
    @pytest.fixture
    async def broadcast(self, url: str) -> AsyncIterator[RedisBroadcast]:
        async with RedisBroadcast.from_url(url) as broadcast:
            yield broadcast

    @pytest.fixture
    async def elsewhere(self, url: str) -> AsyncIterator[RedisBroadcast]:
        async with RedisBroadcast.from_url(url) as broadcast:
            yield broadcast


class TestRedisBroadcast(OnRedis):
    @pytest.fixture
    def url(self) -> str:
        return own_namespace(shared_server_url())


class TestRedisBroadcastOnACluster(OnRedis):
    @pytest.fixture
    def url(self) -> str:
        return own_namespace(shared_cluster_url())


@pytest.mark.anyio
@pytest.mark.parametrize("cluster", [False, True])
async def test_a_message_is_heard_within_a_tenth_of_a_second(*, cluster: bool) -> None:
    url = own_namespace(shared_cluster_url() if cluster else shared_server_url())
    async with (
        RedisBroadcast.from_url(url) as here,
        RedisBroadcast.from_url(url) as there,
        here.subscribe("topic") as subscription,
    ):
        took = []
        for _ in range(50):
            began = time.monotonic()
            await there.publish("topic", b"x")
            assert await anext(subscription) == BroadcastMessage(b"x")
            took.append(time.monotonic() - began)
        assert statistics.median(took) < 0.1


@pytest.mark.anyio
async def test_every_node_of_a_cluster_tells_it() -> None:
    url = own_namespace(shared_cluster_url())
    scheme, _, rest = url.partition("://")
    hosts, _, options = rest.partition("?")
    nodes = hosts.split(",")
    assert len(nodes) == 3
    async with RedisBroadcast.from_url(url) as there:
        for node in nodes:
            async with (
                RedisBroadcast.from_url(f"{scheme}://{node}?{options}") as here,
                here.subscribe("topic") as subscription,
            ):
                await there.publish("topic", b"x")
                async with asyncio.timeout(10):
                    assert await anext(subscription) == BroadcastMessage(b"x")


@pytest.mark.anyio
async def test_those_who_listen_when_it_is_closed_know_it() -> None:
    async with RedisBroadcast.from_url(own_namespace(shared_server_url())) as broadcast:
        block = broadcast.subscribe("topic")
        subscription = await block.__aenter__()
    assert not subscription.connected
    assert await anext(subscription) == BroadcastGap(connected=False)
    await block.__aexit__(None, None, None)


@pytest.mark.anyio
async def test_one_connection_listens_for_all_and_none_when_nobody_does() -> None:
    with redis_server() as server:
        async with (
            RedisBroadcast.from_url(server.url) as broadcast,
            plain_client(server.url) as look,
        ):

            async def listeners() -> int:
                _, count = await look.execute_command("PUBSUB", "NUMSUB", broadcast._channel)
                return int(count)

            async with broadcast.subscribe("one"), broadcast.subscribe("two"):
                async with broadcast.subscribe("one"):
                    assert await listeners() == 1
                assert await listeners() == 1
            async with asyncio.timeout(10):
                while await listeners():
                    await asyncio.sleep(0.01)


@pytest.mark.anyio
async def test_namespaces_do_not_meet() -> None:
    url = shared_server_url()
    async with (
        RedisBroadcast.from_url(own_namespace(url)) as here,
        RedisBroadcast.from_url(own_namespace(url)) as there,
        here.subscribe("topic") as subscription,
    ):
        await there.publish("topic", b"theirs")
        await here.publish("topic", b"ours")
        assert await anext(subscription) == BroadcastMessage(b"ours")


@pytest.mark.anyio
async def test_a_foreign_message_on_the_channel_is_passed_over() -> None:
    url = own_namespace(shared_server_url())
    async with (
        RedisBroadcast.from_url(url) as broadcast,
        plain_client(url) as client,
        broadcast.subscribe("topic") as subscription,
    ):
        for foreign in (b"", b"\xff\xfe\nx", b"no topic"):
            assert await client.publish(broadcast._channel, foreign) == 1
        await broadcast.publish("topic", b"x")
        assert await anext(subscription) == BroadcastMessage(b"x")
        assert subscription.generation == 0


@pytest.mark.anyio
async def test_one_who_may_not_listen_is_told() -> None:
    with redis_server("--requirepass", "right") as server:
        url = server.url.replace("://", "://:wrong@")
        async with RedisBroadcast.from_url(url) as broadcast:
            with pytest.raises(CredentialsRefused) as refused:
                async with broadcast.subscribe("topic"):
                    raise AssertionError
            assert (refused.value.port, refused.value.adapter) == ("broadcast", "redis")
            with pytest.raises(CredentialsRefused):
                await broadcast.publish("topic", b"x")


def test_two_event_loops_one_after_another_use_one_broadcast() -> None:
    broadcast = RedisBroadcast.from_url(own_namespace(shared_server_url()))

    async def use() -> object:
        async with broadcast, broadcast.subscribe("topic") as subscription:
            await broadcast.publish("topic", b"x")
            return await anext(subscription)

    assert [asyncio.run(use()), asyncio.run(use())] == [BroadcastMessage(b"x")] * 2


@pytest.mark.anyio
async def test_a_broadcast_that_is_not_open_says_so() -> None:
    broadcast = RedisBroadcast.from_url("redis://127.0.0.1")
    with pytest.raises(Unavailable):
        await broadcast.publish("topic", b"x")
    with pytest.raises(Unavailable):
        async with broadcast.subscribe("topic"):
            raise AssertionError


@pytest.mark.anyio
async def test_another_loop_than_the_one_that_opened_it_is_refused() -> None:
    url = own_namespace(shared_server_url())
    async with RedisBroadcast.from_url(url) as broadcast, broadcast.subscribe("topic"):

        async def elsewhere() -> None:
            async with broadcast.subscribe("topic"):
                raise AssertionError

        with pytest.raises(Unavailable) as refused:
            await asyncio.to_thread(asyncio.run, elsewhere())
        assert refused.value.code == "not_open"


def test_malformed_urls_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        RedisBroadcast.from_url("redis://host/x")
