"""A key that ends in one process is refused by the others: at once, or within its time to live."""

import asyncio
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.servers.postgres import migrated_database
from tests.servers.redis_server import RedisServer, free_port, redis_server
from tests.servers.tcp_proxy import Fault, TcpProxy, tcp_proxy
from tollkeeper.application.known_keys import LONGEST_STALL

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
SOON = 0.1
"""Seconds within which the others refuse."""
ROUNDS = 8
SHORT_TTL, LONG_TTL = 4.0, 300.0
_PATIENCE = 20.0


@frozen
class Host:
    """A process that runs a facade."""

    process: asyncio.subprocess.Process

    async def answer(self) -> dict[str, Any]:
        """Wait for the next line that it writes."""
        assert self.process.stdout is not None
        async with asyncio.timeout(_PATIENCE):
            line = await self.process.stdout.readline()
        assert line, "the host ended"
        said: dict[str, Any] = json.loads(line)
        return said

    async def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Give an order, and return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        return await self.answer()

    async def use(self, key: dict[str, Any]) -> str:
        """Use *key*, and return how it went."""
        said: str = (await self.ask("use", token=key["token"]))["said"]
        return said

    async def reads_of(self, key: dict[str, Any]) -> int:
        """Count the reads of the store that two uses of *key* take."""
        first = await self.ask("use", token=key["token"])
        await self.ask("use", token=key["token"])
        last = await self.ask("use", token=key["token"])
        assert (first["said"], last["said"]) == ("ok", "ok")
        return int(last["reads"] - first["reads"])

    async def until_it_keeps(self, *, keeps: bool) -> None:
        """Wait until it may know keys, or no more."""
        async with asyncio.timeout(_PATIENCE):
            while (await self.ask("keeps"))["keeps"] is not keeps:
                await asyncio.sleep(0.01)


@frozen
class Three:
    """A changes keys; B hears of it through a proxy, and knows keys shortly; C hears directly."""

    a: Host
    b: Host
    c: Host
    proxy: TcpProxy
    redis: RedisServer

    async def warm_key(self) -> dict[str, Any]:
        """Make a key that B and C know."""
        key = await self.a.ask("issue")
        for host in (self.b, self.c):
            assert await host.use(key) == "ok"
        return key

    async def end(self, key: dict[str, Any], how: str = "revoke") -> float:
        """End *key* by A, and return when that was done."""
        at: float = (await self.a.ask("change", how=how, key_id=key["key_id"]))["at"]
        return at


@asynccontextmanager
async def running(folder: Path, *arguments: str) -> AsyncIterator[Host]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.hosts.key_host", str(folder), *arguments),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Host(process)
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(_PATIENCE):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Keep one event loop for all, in which the proxy is."""
    return "asyncio"


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[str, RedisServer]]:
    """Run what all share: the URL of a database, and a Redis."""
    with migrated_database() as database, redis_server() as redis:
        yield database, redis


@pytest.fixture(scope="module")
async def three(
    servers: tuple[str, RedisServer], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Three]:
    """Start three processes that share everything."""
    database, redis = servers
    folder = tmp_path_factory.mktemp("hosts")
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(tcp_proxy(redis.port))
        # Whose messages are swallowed must not notice it before the time to live is over.
        slow = f"redis://127.0.0.1:{proxy.port}?timeout=30"
        for name in "abc":
            (folder / name).mkdir()
        hosts = [
            await stack.enter_async_context(running(folder / name, database, broadcast, str(ttl)))
            for name, broadcast, ttl in (
                ("a", redis.url, LONG_TTL),
                ("b", slow, SHORT_TTL),
                ("c", redis.url, LONG_TTL),
            )
        ]
        for host in hosts:
            assert "keeps" in await host.answer()  # it has begun
        a, b, c = hosts
        yield Three(a, b, c, proxy, redis)


@pytest.fixture(autouse=True)
async def whole(three: Three) -> None:
    """Begin each test with nothing broken, and everybody listening."""
    for host in (three.a, three.b, three.c):
        await host.until_it_keeps(keeps=True)


@pytest.mark.parametrize("load", [0, 20], ids=["idle", "busy"])
async def test_a_revoked_key_is_refused_by_all_within_100_ms(three: Three, load: int) -> None:
    """Both others know the key and use it all the time (T11)."""
    others = [(await three.a.ask("issue"))["token"] for _ in range(load)]
    for host in (three.b, three.c):
        await host.ask("load", tokens=others)
    late = []
    for _ in range(ROUNDS):
        key = await three.warm_key()
        for host in (three.b, three.c):
            assert await host.ask("watch", token=key["token"]) == {"watching": "ok"}
        at = await three.end(key)
        for host in (three.b, three.c):
            seen = await host.answer()
            assert seen["said"] == "key_revoked"
            late.append(seen["passed"] - at)
            # Nobody refuses while the machine does not let it run.
            assert late[-1] < SOON + seen["stall"]
    assert statistics.median(late) < SOON
    for host in (three.b, three.c):
        await host.ask("load", tokens=[])


@pytest.mark.parametrize("how", ["disable", "delete", "rotate"])
async def test_every_end_of_a_key_is_heard(three: Three, how: str) -> None:
    key = await three.warm_key()
    await three.end(key, how)
    await asyncio.sleep(SOON)
    for host in (three.b, three.c):
        assert await host.use(key) in {"key_disabled", "unauthenticated", "key_rotated"}


async def test_an_idle_process_refuses_at_first_use(three: Three) -> None:
    """Nothing that is stale is served while it is renewed (T11)."""
    key = await three.warm_key()
    await asyncio.sleep(0.5)
    await three.end(key)
    await asyncio.sleep(SOON)
    assert await three.b.use(key) == "key_revoked"
    assert await three.c.use(key) == "key_revoked"


async def test_with_its_messages_lost_it_refuses_within_the_time_to_live(three: Three) -> None:
    """The connection stands, and nothing comes over it (T11)."""
    three.proxy.fault = Fault.SWALLOWED
    try:
        key = await three.warm_key()
        known_at = time.monotonic()
        assert await three.b.ask("watch", token=key["token"]) == {"watching": "ok"}
        at = await three.end(key)
        seen = await three.b.answer()
        assert seen["said"] == "key_revoked"
        # It could not know; and use did not lengthen the time.
        assert at + SOON < seen["passed"] < known_at + SHORT_TTL
        assert await three.c.use(key) == "key_revoked"
    finally:
        three.proxy.fault = Fault.NONE


async def test_a_process_that_stood_still_refuses_at_first_use(three: Three) -> None:
    """It was stopped, and what it was told meanwhile got lost (T11)."""
    three.proxy.fault = Fault.SWALLOWED
    try:
        stopped, other = await three.warm_key(), await three.warm_key()
        await three.end(other)
        assert await three.b.use(other) == "ok"  # without the stop it cannot know
        os.kill(three.b.process.pid, signal.SIGSTOP)
        await three.end(stopped)
        await asyncio.sleep(LONGEST_STALL + 0.1)
        os.kill(three.b.process.pid, signal.SIGCONT)
        assert await three.b.use(stopped) == "key_revoked"
        assert await three.b.use(other) == "key_revoked"
    finally:
        os.kill(three.b.process.pid, signal.SIGCONT)
        three.proxy.fault = Fault.NONE


async def _cut_off(three: Three) -> Callable[[], None]:
    """Break B's connection, and let it make no other; return what ends that."""
    three.proxy.upstream = free_port()
    three.proxy.break_off()

    def mend() -> None:
        three.proxy.upstream = three.redis.port

    return mend


async def _kill_redis(three: Three) -> Callable[[], None]:
    three.redis.kill()
    return three.redis.start


@pytest.mark.parametrize("cut", [_cut_off, _kill_redis], ids=["connection", "redis"])
async def test_who_is_cut_off_and_knows_it_reads_the_store(three: Three, cut: Any) -> None:
    """It trusts nothing that it knew, until it can hear again (T11)."""
    key, lasting = await three.warm_key(), await three.warm_key()
    assert await three.b.reads_of(lasting) == 0
    mend = await cut(three)
    deaf = [three.b] if cut is _cut_off else [three.b, three.c]
    try:
        for host in deaf:
            await host.until_it_keeps(keeps=False)
            assert await host.reads_of(key) == 2
        await three.end(key)
        for host in deaf:
            assert await host.use(key) == "key_revoked"
            assert await host.use(lasting) == "ok"
    finally:
        mend()
    for host in deaf:
        await host.until_it_keeps(keeps=True)
        assert await host.reads_of(lasting) == 0
    await three.end(lasting)
    await asyncio.sleep(SOON)
    for host in (three.b, three.c):
        assert await host.use(lasting) == "key_revoked"
