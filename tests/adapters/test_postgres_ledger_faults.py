"""PostgreSQL hangs, dies and loses answers under load: nothing is lost and nothing charged twice.

After each fault every charge that was acknowledged is there once, every call was answered within
its deadline, and the pool is whole: no connection in use, none forgotten at the server, no task
left behind.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from attrs import frozen

from tests.adapters.postgres_charges import Charges, assert_no_task_above, assert_whole
from tests.servers.postgres import PostgresServer, migrated_database, own_postgres, run_sql
from tests.servers.tcp_proxy import Fault, TcpProxy, tcp_proxy
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.ledger import PostgresLedger

pytestmark = pytest.mark.anyio
CALLERS = 32
TIMEOUT = 0.8
SLACK = 2.0
"""What a call may take above its deadline on a machine that does much else, in seconds."""
GROUPED_AND_NOT = pytest.mark.parametrize(
    "group", ["on", pytest.param("off", marks=pytest.mark.soak)]
)


@frozen
class Database:
    server: PostgresServer
    url: str


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with own_postgres() as server:
        yield server


@pytest.fixture
def database(server: PostgresServer) -> Iterator[Database]:
    with migrated_database(server.url) as url:
        yield Database(server, url)


@asynccontextmanager
async def under_load(
    database: Database, *, group: str, port: int | None = None
) -> AsyncIterator[Charges]:
    """Charge all the while, and reckon in the end; *port* is that of a proxy."""
    parts = urlsplit(database.url)
    netloc = f"postgres@127.0.0.1:{port or parts.port}"
    url = parts._replace(netloc=netloc, query=f"timeout={TIMEOUT}&pool_size=6&group={group}")
    tasks = asyncio.all_tasks()
    async with PostgresConnections.from_url(url.geturl()) as connections:
        charges = Charges(PostgresLedger(connections))
        await charges.start(CALLERS)
        await charges.progress(200)
        yield charges
        await charges.progress(200)
        await charges.finish()
        await charges.reckon(database.url)
        await assert_whole(connections, database.url)
        assert charges.longest < TIMEOUT + SLACK
    await assert_no_task_above(tasks)


@GROUPED_AND_NOT
async def test_postgres_hangs(database: Database, group: str) -> None:
    async with under_load(database, group=group) as charges:
        database.server.freeze()
        try:
            await asyncio.sleep(2.5 * TIMEOUT)
        finally:
            database.server.thaw()
    assert charges.errors["timeout"] > 0


@GROUPED_AND_NOT
async def test_postgres_hangs_for_less_than_the_deadline(database: Database, group: str) -> None:
    async with under_load(database, group=group) as charges:
        for _ in range(3):
            database.server.freeze()
            try:
                await asyncio.sleep(TIMEOUT / 4)
            finally:
                database.server.thaw()
            await charges.progress(20)


@GROUPED_AND_NOT
async def test_postgres_is_killed_and_started_again(database: Database, group: str) -> None:
    async with under_load(database, group=group) as charges:
        for _ in range(2):
            database.server.crash()
            await asyncio.sleep(0.5)
            await asyncio.to_thread(database.server.start)
            await charges.progress(50)
    assert charges.errors["unavailable"] > 0


@GROUPED_AND_NOT
async def test_postgres_is_restarted_in_order(database: Database, group: str) -> None:
    async with under_load(database, group=group) as charges:
        await asyncio.to_thread(database.server.stop)
        await asyncio.to_thread(database.server.start)
        await charges.progress(50)


@GROUPED_AND_NOT
async def test_sessions_are_ended_by_the_administrator(database: Database, group: str) -> None:
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with under_load(database, group=group) as charges:
        for _ in range(10):
            await run_sql(database.url, end)
            await charges.progress(10)


async def befall(proxy: TcpProxy, charges: Charges, fault: Fault, *, times: int) -> None:
    """Let *fault* befall so many answers, and wait until it has."""
    proxy.fault, proxy.times = fault, times
    async with asyncio.timeout(20):
        while proxy.times:
            await asyncio.sleep(0.005)
    proxy.fault, proxy.times = Fault.NONE, None
    await charges.progress(50)


@GROUPED_AND_NOT
@pytest.mark.parametrize(
    "fault", [Fault.RESET, pytest.param(Fault.SWALLOWED, marks=pytest.mark.soak)]
)
async def test_answers_are_lost(database: Database, group: str, fault: Fault) -> None:
    port = urlsplit(database.url).port
    assert port is not None
    async with tcp_proxy(port) as proxy:
        async with under_load(database, group=group, port=proxy.port) as charges:
            for times in (1, 3, 9):
                await befall(proxy, charges, fault, times=times)
            assert proxy.faults == 13
        assert proxy.links == 0


@pytest.mark.soak
@GROUPED_AND_NOT
async def test_answers_come_late(database: Database, group: str) -> None:
    """Some in time, and some after their callers have left."""
    port = urlsplit(database.url).port
    assert port is not None
    async with tcp_proxy(port) as proxy:
        async with under_load(database, group=group, port=proxy.port) as charges:
            for delay in (TIMEOUT / 10, 2 * TIMEOUT):
                proxy.delay = delay
                await befall(proxy, charges, Fault.DELAYED, times=8)
        assert proxy.links == 0
    assert charges.errors["timeout"] > 0


@GROUPED_AND_NOT
async def test_connections_are_broken_off_again_and_again(database: Database, group: str) -> None:
    port = urlsplit(database.url).port
    assert port is not None
    async with tcp_proxy(port) as proxy:
        async with under_load(database, group=group, port=proxy.port) as charges:
            for _ in range(20):
                proxy.break_off()
                await charges.progress(5)
        assert proxy.links == 0
