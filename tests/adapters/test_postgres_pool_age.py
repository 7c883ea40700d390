"""A connection that nobody used for long is closed, and one that is old when it is free."""

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from tests.adapters.postgres_charges import sessions
from tests.adapters.postgres_databases import postgres_url
from tollkeeper.adapters.postgres.free_connections import FreeConnections
from tollkeeper.domain.errors import Unavailable

__all__ = ["postgres_url"]
pytestmark = pytest.mark.anyio
AGES = 60.0


@asynccontextmanager
async def connections_to(
    url: str, *, idle_for: float = AGES, life: float = AGES
) -> AsyncIterator[FreeConnections]:
    connect = functools.partial(asyncpg.connect, url, ssl=False)
    loop = asyncio.get_running_loop()
    connections = FreeConnections(connect, loop, idle_for=idle_for, life=life)
    try:
        yield connections
    finally:
        connections.terminate()


async def taken(connections: FreeConnections, number: int) -> "list[asyncpg.Connection[Any]]":
    return [await connections.take() for _ in range(number)]


async def until_sessions(url: str, number: int) -> None:
    async with asyncio.timeout(10):
        while await sessions(url) != number:
            await asyncio.sleep(0.02)


async def test_what_nobody_uses_is_closed_and_what_is_used_stays(postgres_url: str) -> None:
    async with connections_to(postgres_url, idle_for=0.4) as connections:
        for connection in await taken(connections, 4):
            connections.give(connection, whole=True)
        used = await connections.take()
        connections.give(used, whole=True)
        assert (connections.size, connections.idle) == (4, 4)
        async with asyncio.timeout(10):
            while connections.size > 1:
                assert await connections.take() is used
                connections.give(used, whole=True)
                await asyncio.sleep(0.02)
        await until_sessions(postgres_url, 1)
        await until_sessions(postgres_url, 0)
        assert (connections.size, connections.idle) == (0, 0)
        assert used.is_closed()

        # And so it goes on with those that are made afterwards.
        connections.give(await connections.take(), whole=True)
        await until_sessions(postgres_url, 1)
        await until_sessions(postgres_url, 0)


async def test_what_is_in_use_is_not_idle(postgres_url: str) -> None:
    async with connections_to(postgres_url, idle_for=0.1) as connections:
        first, second = await taken(connections, 2)
        connections.give(second, whole=True)
        await until_sessions(postgres_url, 1)
        await asyncio.sleep(0.3)
        assert await first.fetchval("SELECT 1") == 1
        assert (connections.size, connections.idle) == (1, 0)


async def test_an_old_connection_is_closed_once_it_is_free(postgres_url: str) -> None:
    async with connections_to(postgres_url, life=0.3) as connections:
        old = await connections.take()
        connections.give(old, whole=True)
        assert await connections.take() is old
        await asyncio.sleep(0.35)
        assert await old.fetchval("SELECT 1") == 1, "not while somebody works on it"
        connections.give(old, whole=True)
        assert old.is_closed()
        assert (connections.size, connections.idle) == (0, 0)
        young = await connections.take()
        assert young is not old
        connections.give(young, whole=True)
        await until_sessions(postgres_url, 1)


async def test_what_is_in_doubt_is_closed(postgres_url: str) -> None:
    async with connections_to(postgres_url) as connections:
        doubtful, good = await taken(connections, 2)
        connections.give(doubtful, whole=False)
        connections.give(good, whole=True)
        assert doubtful.is_closed()
        assert (connections.size, connections.idle) == (1, 1)
        assert await connections.take() is good
        await until_sessions(postgres_url, 1)


async def test_one_that_is_made_while_all_are_closed_is_closed_too(postgres_url: str) -> None:
    async with connections_to(postgres_url) as connections:
        making = asyncio.create_task(connections.take())
        await asyncio.sleep(0)
        connections.terminate()
        with pytest.raises(Unavailable, match="not open"):
            await making
        await until_sessions(postgres_url, 0)
        with pytest.raises(Unavailable, match="not open"):
            await connections.take()
