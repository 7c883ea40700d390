"""Logs in Redis keep their contract, on one server and on a cluster."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.adapters.redis_time import Advance, own_namespace, plain_client
from tests.servers.redis_server import shared_cluster_url, shared_server_url
from tollkeeper.adapters.redis.event_log import RedisEventLog
from tollkeeper.contracts.event_log import EventLogContract
from tollkeeper.domain.errors import ConfigurationError, Unavailable
from tollkeeper.domain.event_logs import EventsLost

SECOND = timedelta(seconds=1)
LONG = timedelta(seconds=20)


class OnRedis(EventLogContract):
    @pytest.fixture
    async def event_log(self, url: str) -> AsyncIterator[RedisEventLog]:
        async with RedisEventLog.from_url(url) as event_log:
            yield event_log

    @pytest.fixture
    def advance(self) -> Advance:
        # Events age by the server's own clock, which nobody can move.
        async def wait(by: timedelta) -> None:
            await asyncio.sleep(by.total_seconds())

        return wait


class TestRedisEventLog(OnRedis):
    @pytest.fixture
    def url(self) -> str:
        return own_namespace(shared_server_url())


class TestRedisEventLogOnACluster(OnRedis):
    @pytest.fixture
    def url(self) -> str:
        return own_namespace(shared_cluster_url())


@pytest.fixture
def url() -> str:
    return own_namespace(shared_server_url(), "pool_size=2")


@pytest.mark.anyio
async def test_more_wait_than_there_are_connections_and_nobody_is_kept_waiting(url: str) -> None:
    async with RedisEventLog.from_url(url) as event_log:
        waiting = [asyncio.ensure_future(event_log.read(f"log-{n}", wait=LONG)) for n in range(30)]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(10):
            events = [await event_log.append(f"log-{n}", [b"%d" % n]) for n in range(30)]
            pages = await asyncio.gather(*waiting)
        assert [page.events for page in pages] == events
        assert event_log._blocked == 0


@pytest.mark.anyio
async def test_the_server_keeps_no_more_than_the_limits(url: str) -> None:
    async with RedisEventLog.from_url(url) as event_log, plain_client(url) as client:
        await event_log.append("log", [b"x"] * 1000)
        await event_log.end("log")
        keys = [
            key async for key in client.scan_iter(match=f"{event_log._connections.key('log', '')}*")
        ]
        assert len(keys) == 2
        for key in keys:
            assert 0 < await client.pttl(key) <= 3_600_000


@pytest.mark.anyio
async def test_a_log_whose_state_was_evicted_begins_anew(url: str) -> None:
    async with RedisEventLog.from_url(url) as event_log, plain_client(url) as client:
        [old] = await event_log.append("log", [b"old"])
        assert await client.delete(event_log._keys("log")[1]) == 1
        with pytest.raises(EventsLost):
            await event_log.read("log", after=old.id)
        events = await event_log.append("log", [b"new"])
        assert (await event_log.read("log")).events == events
        assert events[0].number == 1


@pytest.mark.anyio
async def test_a_log_whose_events_were_evicted_says_so(url: str) -> None:
    async with RedisEventLog.from_url(url) as event_log, plain_client(url) as client:
        [old, *_] = await event_log.append("log", [b"1", b"2"])
        assert await client.delete(event_log._keys("log")[0]) == 1
        with pytest.raises(EventsLost):
            await event_log.read("log", after=old.id)


@pytest.mark.anyio
async def test_an_id_with_another_moment_finds_nothing_and_spins_not(url: str) -> None:
    async with RedisEventLog.from_url(url) as event_log:
        *_, last = await event_log.append("log", [b"1", b"2", b"3"])
        life, _, number = last.id.split("-")
        page = await event_log.read("log", after=f"{life}-0-{number}", wait=0.3 * SECOND)
        assert page.events == ()
        with pytest.raises(EventsLost):
            await event_log.read("log", after=f"{life}-0-2")


def test_two_event_loops_one_after_another_use_one_log(url: str) -> None:
    event_log = RedisEventLog.from_url(url)

    async def use() -> int:
        async with event_log:
            await event_log.read("other", wait=timedelta(milliseconds=5))
            return (await event_log.append("log", [b"x"]))[0].number

    assert [asyncio.run(use()), asyncio.run(use())] == [1, 2]


@pytest.mark.anyio
async def test_a_log_that_is_not_open_says_so() -> None:
    with pytest.raises(Unavailable):
        await RedisEventLog.from_url("redis://127.0.0.1").append("log", [b"x"])


def test_malformed_urls_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        RedisEventLog.from_url("redis://host/x")
