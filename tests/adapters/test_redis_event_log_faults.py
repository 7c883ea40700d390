"""Logs in Redis while it hangs, dies, loses replies, and readers leave: nothing lost in silence."""

import asyncio
import hashlib
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.adapters.redis_time import own_namespace
from tests.servers.redis_server import (
    redis_cluster,
    redis_server,
    shared_cluster_url,
    shared_server_url,
    with_options,
)
from tests.servers.tcp_proxy import Fault, tcp_proxy
from tollkeeper.adapters.redis.event_log import RedisEventLog
from tollkeeper.application.event_logs import EventLogs
from tollkeeper.domain.errors import PortError, Timeout, Unavailable
from tollkeeper.domain.event_logs import EventsLost

LONG = timedelta(seconds=20)
ROOT = Path(__file__).parents[2]


@pytest.mark.anyio
async def test_behind_a_hanging_server_everyone_is_answered_in_time() -> None:
    with redis_server() as server:
        url = with_options(server.url, ["timeout=0.4", "pool_size=3"])
        async with RedisEventLog.from_url(url) as event_log:
            [last] = await event_log.append("log", [b"x"])
            wait = timedelta(seconds=0.5)
            waiting = [
                asyncio.ensure_future(event_log.read("log", after=last.id, wait=wait))
                for _ in range(6)
            ]
            await asyncio.sleep(0.1)
            server.stop()
            try:
                began = time.monotonic()
                ends = await asyncio.gather(*waiting, return_exceptions=True)
                assert all(isinstance(end, Timeout | Unavailable) for end in ends)
                with pytest.raises(PortError):
                    await event_log.append("log", [b"y"])
                assert time.monotonic() - began < 5
            finally:
                server.go_on()
            events = EventLogs(event_log)
            async with asyncio.timeout(10), events.subscribe("log", after=last.id) as subscription:
                await asyncio.sleep(1.1)  # the breaker lets somebody through again
                appended = await events.append("log", b"z")
                while (got := await anext(subscription)) != appended[0]:
                    assert got is None or got.data == b"y"
            assert event_log._connections.usage[0] == 0
            assert event_log._blocked == 0


@pytest.mark.anyio
async def test_a_server_that_forgets_everything_is_noticed_by_who_follows() -> None:
    with redis_server() as server:
        async with RedisEventLog.from_url(server.url) as event_log:
            events = EventLogs(event_log)
            await events.append("log", b"1", b"2")
            async with events.subscribe("log") as subscription:
                assert [(await anext(subscription)) is not None for _ in range(2)] == [True, True]
                waiting = asyncio.ensure_future(anext(subscription))
                await asyncio.sleep(0.05)
                await asyncio.to_thread(server.restart)
                with pytest.raises(EventsLost):
                    await asyncio.wait_for(waiting, 10)
            [anew] = await events.append("log", b"anew")
            assert anew.number == 1
            async with events.subscribe("log") as subscription:
                assert await anext(subscription) == anew


@pytest.mark.anyio
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.SWALLOWED])
async def test_lost_replies_cost_who_follows_nothing(fault: Fault) -> None:
    with redis_server() as server:
        async with (
            tcp_proxy(server.port) as proxy,
            RedisEventLog.from_url(server.url) as writing,
            RedisEventLog.from_url(f"redis://127.0.0.1:{proxy.port}?timeout=0.3") as reading,
        ):
            events = EventLogs(reading)

            async def follow() -> list[bytes]:
                async with events.subscribe("log") as subscription:
                    return [event.data async for event in subscription if event is not None]

            following = [asyncio.ensure_future(follow()) for _ in range(5)]
            for number in range(60):
                if number % 20 == 10:
                    proxy.fault = fault
                await writing.append("log", [b"%d" % number])
                await asyncio.sleep(0.01)
                if number % 20 == 15:
                    # What was swallowed in part must not go on as if it were whole.
                    proxy.fault = Fault.NONE
                    proxy.break_off()
            await writing.end("log")
            async with asyncio.timeout(20):
                found = await asyncio.gather(*following)
            assert found == [[b"%d" % number for number in range(60)]] * 5
            assert proxy.faults > 0
            assert reading._connections.usage[0] == 0


@pytest.mark.anyio
async def test_connections_that_break_off_cost_who_follows_nothing() -> None:
    with redis_server() as server:
        async with (
            tcp_proxy(server.port) as proxy,
            RedisEventLog.from_url(server.url) as writing,
            RedisEventLog.from_url(f"redis://127.0.0.1:{proxy.port}") as reading,
        ):
            events = EventLogs(reading)
            async with events.subscribe("log") as subscription:
                for number in range(30):
                    if number % 3 == 0:
                        proxy.break_off()
                    [appended] = await writing.append("log", [b"%d" % number])
                    async with asyncio.timeout(10):
                        assert await anext(subscription) == appended


@pytest.mark.anyio
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.SWALLOWED])
async def test_a_lost_reply_never_appends_twice(fault: Fault) -> None:
    with redis_server() as server:
        async with (
            tcp_proxy(server.port) as proxy,
            RedisEventLog.from_url(f"redis://127.0.0.1:{proxy.port}?timeout=0.3") as event_log,
        ):
            await event_log.append("log", [b"0"])
            proxy.fault, proxy.times, proxy.marker = fault, 1, b"EVALSHA"
            with pytest.raises(PortError) as lost:
                await event_log.append("log", [b"1"])
            assert lost.value.ambiguous
            proxy.fault = Fault.NONE
            await asyncio.sleep(0.05)
            [event] = await event_log.append("log", [b"2"])
            assert event.number == 3
            page = await event_log.read("log")
            assert [event.data for event in page.events] == [b"0", b"1", b"2"]


@pytest.mark.anyio
@pytest.mark.parametrize("cluster", [False, True])
async def test_one_who_leaves_at_any_moment_is_gone_at_once(*, cluster: bool) -> None:
    url = own_namespace(shared_cluster_url() if cluster else shared_server_url(), "timeout=10")
    chance = random.Random(7)
    for _ in range(12):
        # Opened each time: connecting, and asking the cluster, is part of what is left.
        async with RedisEventLog.from_url(url) as event_log:
            [last] = await event_log.append("log", [b"x"])
            reading = [
                asyncio.ensure_future(event_log.read("log", after=last.id, wait=LONG))
                for _ in range(10)
            ]
            await asyncio.sleep(chance.uniform(0, 0.02))
            for one in reading[:5]:
                one.cancel()
            done, _ = await asyncio.wait(reading[:5], timeout=4)
            assert len(done) == 5
            assert all(one.cancelled() for one in done)
            events = await event_log.append("log", [b"y"])
            async with asyncio.timeout(10):
                pages = await asyncio.gather(*reading[5:])
            assert [page.events for page in pages] == [events] * 5
            assert event_log._connections.usage[0] == 0
            assert event_log._blocked == 0


@pytest.mark.anyio
async def test_a_node_that_died_ends_its_own_logs_alone() -> None:
    with redis_cluster() as cluster:
        url = with_options(cluster.url, ["timeout=1.5"])
        async with RedisEventLog.from_url(url) as event_log:
            events = EventLogs(event_log, outage=timedelta(seconds=0.5))
            logs = [f"log-{number}" for number in range(12)]
            for log in logs:
                await events.append(log, b"x")
            to = event_log._connections
            nodes = {log: to.node_of(event_log._keys(f"{log}")[0]) for log in logs}
            assert len(set(nodes.values())) == 3
            dead = cluster.servers[0]
            lost = [log for log in logs if nodes[log].endswith(f":{dead.port}")]
            kept = [log for log in logs if log not in lost]
            async with events.subscribe(kept[0]) as one, events.subscribe(lost[0]) as other:
                assert await anext(one) is not None
                assert await anext(other) is not None
                waiting = asyncio.ensure_future(anext(other))
                await asyncio.sleep(0.05)
                dead.kill()
                for number in range(20):
                    log = kept[number % len(kept)]
                    [appended] = await events.append(log, b"%d" % number)
                    if log == kept[0]:
                        async with asyncio.timeout(5):
                            assert await anext(one) == appended
                began = time.monotonic()
                with pytest.raises(PortError):
                    await events.append(lost[0], b"x")
                assert time.monotonic() - began < 3
                with pytest.raises(PortError):
                    await asyncio.wait_for(waiting, 10)
            assert to.usage[0] == 0
            assert events.readers == 0


def test_many_in_several_processes_follow_one_log_and_all_get_the_same() -> None:
    url, log = own_namespace(shared_server_url()), "answer"
    command = [sys.executable, "-m", "tests.adapters.redis_event_follower", url, log, "10"]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]

    async def write() -> str:
        seen = hashlib.sha256()
        async with RedisEventLog.from_url(url) as event_log:
            for number in range(1, 201):
                await event_log.append(log, [b"%d" % number])
                seen.update(b"%d:%d;" % (number, number))
            await event_log.end(log)
        return seen.hexdigest()

    said = [""] * 2
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        expected = asyncio.run(write())
        said = [process.communicate(timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [line.split() for line in said] == [[expected] * 10] * 2
