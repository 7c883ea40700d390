"""Broadcasts while Redis hangs, dies and comes back: whoever may have missed something knows it."""

import asyncio
import random
import time

import pytest

from tests.adapters.redis_time import own_namespace, plain_client
from tests.servers.redis_server import (
    redis_cluster,
    redis_server,
    shared_server_url,
    with_options,
)
from tests.servers.tcp_proxy import Fault, tcp_proxy
from tollkeeper.adapters.redis.broadcast import RedisBroadcast
from tollkeeper.domain.broadcasts import BroadcastGap, BroadcastItem, BroadcastMessage
from tollkeeper.domain.errors import PortError
from tollkeeper.ports.broadcast import BroadcastSubscription

LOST, BACK = BroadcastGap(connected=False), BroadcastGap(connected=True)


async def soon(subscription: BroadcastSubscription) -> BroadcastItem:
    async with asyncio.timeout(10):
        return await anext(subscription)


@pytest.mark.anyio
async def test_a_restart_is_two_gaps_and_then_messages_come_again() -> None:
    with redis_server() as server:
        async with (
            RedisBroadcast.from_url(server.url) as broadcast,
            broadcast.subscribe("topic") as one,
            broadcast.subscribe("other") as two,
        ):
            await broadcast.publish("topic", b"before")
            assert await soon(one) == BroadcastMessage(b"before")
            server.kill()
            assert await soon(one) == LOST
            assert not one.connected
            assert await soon(two) == LOST
            await asyncio.to_thread(server.start)
            assert await soon(one) == await soon(two) == BACK
            assert (one.connected, one.generation, two.generation) == (True, 2, 2)
            await broadcast.publish("topic", b"after")
            assert await soon(one) == BroadcastMessage(b"after")


@pytest.mark.anyio
async def test_gaps_that_nobody_read_are_one_and_what_came_before_is_dropped() -> None:
    with redis_server() as server:
        async with (
            RedisBroadcast.from_url(server.url) as broadcast,
            broadcast.subscribe("topic") as subscription,
        ):
            await broadcast.publish("topic", b"before")
            await asyncio.to_thread(server.restart)
            async with asyncio.timeout(10):
                while subscription.generation < 2:
                    await asyncio.sleep(0.01)
            await broadcast.publish("topic", b"after")
            assert [await soon(subscription) for _ in range(2)] == [
                BACK,
                BroadcastMessage(b"after"),
            ]


@pytest.mark.anyio
async def test_a_server_that_hangs_is_noticed_and_its_return_too() -> None:
    with redis_server() as server:
        url = with_options(server.url, ["timeout=0.4"])
        async with (
            RedisBroadcast.from_url(url) as broadcast,
            broadcast.subscribe("topic") as subscription,
        ):
            server.stop()
            try:
                began = time.monotonic()
                assert await soon(subscription) == LOST
                assert time.monotonic() - began < 4
                with pytest.raises(PortError):
                    await broadcast.publish("topic", b"x")
            finally:
                server.go_on()
            assert await soon(subscription) == BACK


@pytest.mark.anyio
async def test_a_connection_that_answers_no_more_is_noticed() -> None:
    with redis_server() as server:
        async with (
            tcp_proxy(server.port) as proxy,
            RedisBroadcast.from_url(f"redis://127.0.0.1:{proxy.port}?timeout=0.4") as broadcast,
            broadcast.subscribe("topic") as subscription,
        ):
            proxy.fault = Fault.SWALLOWED
            assert await soon(subscription) == LOST
            proxy.fault = Fault.NONE
            assert await soon(subscription) == BACK


@pytest.mark.anyio
async def test_a_quiet_connection_is_kept() -> None:
    url = own_namespace(shared_server_url(), "timeout=0.5")
    async with (
        RedisBroadcast.from_url(url) as broadcast,
        broadcast.subscribe("topic") as subscription,
    ):
        await asyncio.sleep(3)
        assert subscription.generation == 0
        await broadcast.publish("topic", b"x")
        assert await soon(subscription) == BroadcastMessage(b"x")


@pytest.mark.anyio
async def test_each_break_is_noticed_and_no_connection_is_left_behind() -> None:
    with redis_server() as server:
        async with (
            tcp_proxy(server.port) as proxy,
            RedisBroadcast.from_url(server.url) as telling,
            RedisBroadcast.from_url(f"redis://127.0.0.1:{proxy.port}") as hearing,
            hearing.subscribe("topic") as subscription,
        ):
            for number in range(10):
                await telling.publish("topic", b"%d" % number)
                assert await soon(subscription) == BroadcastMessage(b"%d" % number)
                proxy.break_off()
                found = await soon(subscription)
                assert found in (LOST, BACK)
                if found == LOST:
                    assert await soon(subscription) == BACK
            assert subscription.generation == 20
            assert proxy.links <= 1


@pytest.mark.anyio
async def test_while_redis_is_down_one_begins_all_the_same_and_hears_when_it_is_back() -> None:
    with redis_server() as server:
        server.kill()
        async with RedisBroadcast.from_url(f"{server.url}?timeout=0.3") as broadcast:
            began = time.monotonic()
            async with broadcast.subscribe("topic") as subscription:
                assert 0.2 < time.monotonic() - began < 3
                assert not subscription.connected
                await asyncio.to_thread(server.start)
                assert await soon(subscription) == BACK
                assert subscription.generation == 1
                await broadcast.publish("topic", b"x")
                assert await soon(subscription) == BroadcastMessage(b"x")


@pytest.mark.anyio
async def test_those_who_come_and_go_while_it_breaks_leave_nothing_behind() -> None:
    chance = random.Random(7)
    before = asyncio.all_tasks()
    with redis_server() as server:
        async with tcp_proxy(server.port) as proxy:
            proxied = asyncio.all_tasks()
            url = f"redis://127.0.0.1:{proxy.port}?timeout=0.5"
            async with RedisBroadcast.from_url(url) as broadcast:

                async def listen() -> None:
                    async with broadcast.subscribe("topic") as subscription:
                        async for _ in subscription:
                            pass

                listening = [asyncio.ensure_future(listen()) for _ in range(20)]
                for _ in range(60):
                    await asyncio.sleep(chance.uniform(0, 0.02))
                    one = chance.randrange(20)
                    listening[one].cancel()
                    await asyncio.wait([listening[one]], timeout=5)
                    assert listening[one].cancelled()
                    listening[one] = asyncio.ensure_future(listen())
                    if chance.random() < 0.2:
                        proxy.break_off()
                for task in listening:
                    task.cancel()
                done, _ = await asyncio.wait(listening, timeout=5)
                assert len(done) == 20
                assert broadcast._listening is None
                assert not broadcast._topics
                assert not broadcast._waiting
            async with asyncio.timeout(10):
                while proxy.links:
                    await asyncio.sleep(0.01)
            assert asyncio.all_tasks() == proxied
    assert asyncio.all_tasks() == before


@pytest.mark.anyio
async def test_when_a_node_dies_another_is_listened_to() -> None:
    with redis_cluster() as cluster:
        async with (
            RedisBroadcast.from_url(cluster.url) as broadcast,
            broadcast.subscribe("topic") as subscription,
        ):
            listened = [
                server
                for server in cluster.servers
                if f"{broadcast._channel}\r\n:1"
                in server.ask(f"PUBSUB NUMSUB {broadcast._channel}")
            ]
            assert len(listened) == 1
            listened[0].kill()
            found = await soon(subscription)
            if found == LOST:
                found = await soon(subscription)
            assert found == BACK
            for server in cluster.servers:
                if server is not listened[0]:
                    async with plain_client(server.url) as client:
                        await client.publish(broadcast._channel, b"topic\nx")
                    assert await soon(subscription) == BroadcastMessage(b"x")
