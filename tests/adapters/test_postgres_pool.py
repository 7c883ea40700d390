"""Connections wait to be used again, the last used first, and none of them is lost or in doubt."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.adapters.postgres_charges import assert_no_task_above, assert_whole, sessions
from tests.adapters.postgres_databases import postgres_url
from tests.servers.postgres import run_sql
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.domain.errors import PortError, TollkeeperError, Unavailable

__all__ = ["postgres_url"]
pytestmark = pytest.mark.anyio
SOON = 10.0
END_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
WHO = "SELECT pg_backend_pid() AS pid, pg_sleep($1::float8)"


async def who(connections: PostgresConnections, seconds: float = 0.0) -> int:
    """Ask which session answers, after so long; the question may not be asked twice."""
    [row] = await connections.fetch(WHO, seconds)
    return int(row["pid"])


async def at_once(connections: PostgresConnections, callers: int) -> set[int]:
    return set(await asyncio.gather(*(who(connections, 0.1) for _ in range(callers))))


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    async with asyncio.timeout(SOON):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


async def assert_nothing_left(url: str) -> None:
    """Assert that the server has no session of ours any more."""

    async def none() -> bool:
        return await sessions(url) == 0

    await until(none)


async def test_the_connection_that_was_used_last_is_used_next(postgres_url: str) -> None:
    async with PostgresConnections.from_url(f"{postgres_url}?pool_size=5") as connections:
        assert (connections.size, connections.idle) == (0, 0), "one is made when it is needed"
        assert len(await at_once(connections, 4)) == 4
        assert (connections.size, connections.idle) == (4, 4)
        assert len({await who(connections) for _ in range(20)}) == 1
        assert (connections.size, connections.idle) == (4, 4)
    await assert_nothing_left(postgres_url)


async def test_callers_wait_for_a_connection_and_there_are_never_more(postgres_url: str) -> None:
    seen = []
    async with PostgresConnections.from_url(f"{postgres_url}?pool_size=3") as connections:

        async def ask() -> int:
            pid = await who(connections, 0.002)
            seen.append(connections.size)
            return pid

        pids = await asyncio.gather(*(ask() for _ in range(60)))
        assert len(set(pids)) == 3
        assert max(seen) == 3
        working = asyncio.create_task(who(connections, 0.3))
        await asyncio.sleep(0.05)
        assert (connections.size, connections.idle) == (3, 2)
        await working
        await assert_whole(connections, postgres_url)


async def test_connections_that_the_server_ended_while_they_waited_are_replaced(
    postgres_url: str,
) -> None:
    """Nothing was sent on them, so no caller hears of it, whatever it asks."""
    async with PostgresConnections.from_url(postgres_url) as connections:
        before = await at_once(connections, 4)
        await run_sql(postgres_url, END_ALL)
        await until(lambda: connections.size == 0)
        assert connections.idle == 0
        after = await at_once(connections, 4)
        assert len(after) == 4
        assert not after & before
        await assert_whole(connections, postgres_url)
    await assert_nothing_left(postgres_url)


async def test_some_of_those_that_wait_are_ended_and_the_others_go_on(postgres_url: str) -> None:
    async with PostgresConnections.from_url(postgres_url) as connections:
        before = await at_once(connections, 4)
        ended = set(sorted(before)[:2])
        await run_sql(postgres_url, *(f"SELECT pg_terminate_backend({pid})" for pid in ended))
        await until(lambda: connections.size == 2)
        after = await at_once(connections, 4)
        assert len(after) == 4
        assert after & before == before - ended
        await assert_whole(connections, postgres_url)


async def test_a_connection_that_ends_under_the_next_statement_is_retried(
    postgres_url: str,
) -> None:
    async with PostgresConnections.from_url(postgres_url) as connections:

        async def again(seconds: float) -> int:
            return len(await connections.fetch(WHO, seconds, idempotent=True))

        async def whole() -> bool:
            return await sessions(postgres_url) == connections.size == connections.idle

        for _ in range(10):
            assert sum(await asyncio.gather(again(0.05), again(0.05))) == 2
            # The event loop has had no turn to hear of it.
            _, rows = await asyncio.gather(run_sql(postgres_url, END_ALL), again(0.02))
            assert rows == 1
            # The last may have ended after it answered; both sides know before the next round.
            await until(whole)
            assert await again(0.0) == 1
        await assert_whole(connections, postgres_url)


async def test_callers_who_leave_take_their_connection_with_them(postgres_url: str) -> None:
    """They leave while they wait, while they connect, and while the server works."""
    tasks = asyncio.all_tasks()
    async with PostgresConnections.from_url(f"{postgres_url}?pool_size=3") as connections:
        for n in range(40):
            asking = [asyncio.create_task(who(connections, 0.5)) for _ in range(5)]
            await asyncio.sleep(n * 0.0005)
            for task in asking:
                task.cancel()
            ends = await asyncio.gather(*asking, return_exceptions=True)
            assert {type(end) for end in ends} == {asyncio.CancelledError}
            assert connections.size == connections.idle
        assert len(await at_once(connections, 9)) == 3
        await assert_whole(connections, postgres_url)
    await assert_no_task_above(tasks)
    await assert_nothing_left(postgres_url)


async def test_an_error_of_the_servers_costs_no_connection(postgres_url: str) -> None:
    async with PostgresConnections.from_url(postgres_url) as connections:
        pid = await who(connections)
        for _ in range(3):
            with pytest.raises(TollkeeperError):
                await connections.fetch("SELECT 1 / 0")
        assert await who(connections) == pid


async def test_a_transaction_that_was_left_open_is_never_lent_to_another(
    postgres_url: str,
) -> None:
    async with PostgresConnections.from_url(postgres_url) as connections:
        pid = await who(connections)
        await connections.fetch("BEGIN")
        assert (connections.size, connections.idle) == (0, 0)
        assert await who(connections) != pid


async def test_closing_waits_for_those_who_work(postgres_url: str) -> None:
    connections = PostgresConnections.from_url(f"{postgres_url}?pool_size=2")
    async with connections:
        await at_once(connections, 2)
        working = asyncio.create_task(who(connections, 0.3))
        await asyncio.sleep(0.05)
    assert working.done()
    assert await working > 0
    await assert_nothing_left(postgres_url)
    with pytest.raises(Unavailable, match="not open"):
        await who(connections)
    async with connections:
        assert await who(connections) > 0


async def test_closing_refuses_those_who_wait(postgres_url: str) -> None:
    connections = PostgresConnections.from_url(f"{postgres_url}?pool_size=1")
    async with connections:
        working, waiting = (asyncio.create_task(who(connections, 1.0)) for _ in range(2))
        await asyncio.sleep(0.5)
    assert await working > 0
    with pytest.raises(Unavailable, match="not open") as refused:
        await waiting
    assert not refused.value.ambiguous
    await assert_nothing_left(postgres_url)


async def test_who_closes_in_a_hurry_ends_what_works(postgres_url: str) -> None:
    connections = await PostgresConnections.from_url(postgres_url).__aenter__()
    await at_once(connections, 2)
    working = asyncio.create_task(who(connections, 1.0))
    await asyncio.sleep(0.05)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await connections.__aexit__(None, None, None)
    async with asyncio.timeout(0.9):
        with pytest.raises(PortError) as ended:
            await working
    assert ended.value.ambiguous, "the server may have done it"
    await assert_nothing_left(postgres_url)


async def test_each_loop_has_connections_of_its_own(postgres_url: str) -> None:
    """Those of another loop are refused, and stay as they are."""

    async with PostgresConnections.from_url(postgres_url) as ours:
        mine = await at_once(ours, 2)

        async def elsewhere() -> tuple[set[int], set[int]]:
            async with PostgresConnections.from_url(postgres_url) as theirs:
                first = await at_once(theirs, 2)
                with pytest.raises(Unavailable, match="another event loop"):
                    await who(ours)
                return first, await at_once(theirs, 2)

        meanwhile = asyncio.create_task(who(ours, 0.3))
        first, again = await asyncio.to_thread(asyncio.run, elsewhere())
        assert first == again
        assert len(first) == 2
        assert not first & mine
        assert await meanwhile in mine
        assert await at_once(ours, 2) == mine
        await assert_whole(ours, postgres_url)
    await assert_nothing_left(postgres_url)
