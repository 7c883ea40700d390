"""The pooler breaks whoever keeps state in a session: else no test behind it would say anything."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from tests.servers.pooler import TransactionPooler, transaction_pooler
from tests.servers.postgres import empty_database

pytestmark = pytest.mark.anyio
BACKEND = "SELECT pg_backend_pid()"


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with empty_database() as url:
        yield url


@pytest.fixture
async def pooler(database: str) -> AsyncIterator[TransactionPooler]:
    async with transaction_pooler(database, size=2) as pooler:
        yield pooler


@pytest.fixture
async def client(pooler: TransactionPooler) -> AsyncIterator["asyncpg.Connection"]:
    """A client that keeps nothing itself."""
    client = await asyncpg.connect(pooler.through(""), ssl=False, statement_cache_size=0)
    yield client
    if not client.is_closed():
        await client.close(timeout=5)


async def test_each_transaction_meets_another_session(client: "asyncpg.Connection") -> None:
    first, second, third = [await client.fetchval(BACKEND) for _ in range(3)]
    assert first != second
    assert first == third
    async with client.transaction():
        assert len({await client.fetchval(BACKEND) for _ in range(5)}) == 1


async def test_prepared_statements_are_not_found_again(pooler: TransactionPooler) -> None:
    client = await asyncpg.connect(pooler.through(""), ssl=False)
    assert await client.fetchval("SELECT $1::int", 1) == 1
    with pytest.raises(asyncpg.InvalidSQLStatementNameError):
        await client.fetchval("SELECT $1::int", 1)
    assert pooler.named == 1
    client.terminate()


async def test_settings_are_not_found_again(client: "asyncpg.Connection") -> None:
    await client.execute("SET application_name = 'mine'")
    names = {await client.fetchval("SHOW application_name") for _ in range(2)}
    assert names == {"mine", ""}


async def test_notifications_do_not_come(client: "asyncpg.Connection") -> None:
    heard: list[object] = []
    await client.add_listener("news", lambda *said: heard.append(said))
    for _ in range(4):
        await client.execute("NOTIFY news")
        await asyncio.sleep(0.1)
    # Those alone that were sent in the very session that listens.
    assert len(heard) == 2
    client.terminate()


async def test_locks_of_a_session_cannot_be_given_back(client: "asyncpg.Connection") -> None:
    assert await client.fetchval("SELECT pg_try_advisory_lock(7)") is True
    assert await client.fetchval("SELECT pg_try_advisory_lock(7)") is False
    assert await client.fetchval("SELECT pg_try_advisory_lock(7)") is True


@pytest.mark.parametrize("name", ["statement_timeout", "search_path"])
async def test_start_up_parameters_are_refused(pooler: TransactionPooler, name: str) -> None:
    with pytest.raises(asyncpg.ProtocolViolationError, match=name):
        await asyncpg.connect(pooler.through(""), ssl=False, server_settings={name: "5"})


async def test_many_clients_share_few_sessions(pooler: TransactionPooler, database: str) -> None:
    async def work() -> set[int]:
        client = await asyncpg.connect(pooler.through(""), ssl=False, statement_cache_size=0)
        backends = {await client.fetchval(BACKEND) for _ in range(10)}
        await client.close()
        return backends

    async with asyncio.timeout(30):
        met = await asyncio.gather(*(work() for _ in range(20)))
    assert len(set.union(*met)) == 2
    assert (pooler.lent, pooler.replaced, pooler.sessions) == (200, 0, 2)


async def test_what_a_client_that_left_had_begun_is_undone(
    pooler: TransactionPooler, client: "asyncpg.Connection"
) -> None:
    leaving = await asyncpg.connect(pooler.through(""), ssl=False, statement_cache_size=0)
    await leaving.execute("BEGIN; CREATE TABLE half_done ()")
    leaving.terminate()
    async with asyncio.timeout(5):
        while (pooler.replaced, pooler.sessions) != (1, 2):
            await asyncio.sleep(0.01)
    for _ in range(4):
        assert await client.fetchval("SELECT to_regclass('half_done')::text") is None


async def test_a_request_to_cancel_reaches_the_server(client: "asyncpg.Connection") -> None:
    async with asyncio.timeout(5):
        with pytest.raises(TimeoutError):
            await client.execute("SELECT pg_sleep(30)", timeout=0.2)
        assert await client.fetchval("SELECT 1") == 1
