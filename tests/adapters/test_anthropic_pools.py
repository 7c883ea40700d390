"""How the adapter's HTTP client shares its connections out."""

import asyncio

import httpx2
import pytest

from tests.servers.http_player import HttpPlayer, Play, http_player
from tollkeeper.adapters.anthropic.pools import Pools

pytestmark = pytest.mark.anyio


async def at_once(client: httpx2.AsyncClient, player: HttpPlayer, count: int) -> set[int]:
    """Have *count* requests under way at once; return the connections that they took."""
    player.requests.clear()
    answers = await asyncio.gather(*(client.get(player.origin) for _ in range(count)))
    assert all(answer.text == "Hello" for answer in answers)
    return {seen.connection for seen in player.requests}


async def test_connections_are_used_again_and_close_when_they_are_idle_for_long() -> None:
    now = 0.0
    with http_player(lambda _: Play((0.1, b"Hello"))) as player:
        async with httpx2.AsyncClient(transport=Pools(clock=lambda: now)) as client:
            first = await at_once(client, player, 20)
            assert len(first) == 20
            assert await at_once(client, player, 20) == first
            now += 61
            (kept,) = await at_once(client, player, 1)
            assert kept in first
            assert len(first & await at_once(client, player, 20)) == 8, "those of the first pool"


async def test_a_request_that_fails_gives_its_place_back() -> None:
    with http_player(lambda seen: Play((b"Hello",), head=seen.path != "/broken")) as player:
        async with httpx2.AsyncClient(transport=Pools()) as client:
            for _ in range(30):
                with pytest.raises(httpx2.HTTPError):
                    await client.get(player.origin + "/broken")
            assert len(await at_once(client, player, 1)) == 1
            with pytest.raises(asyncio.CancelledError):
                await _cancelled(client, player)
            first = await at_once(client, player, 8)
            assert await at_once(client, player, 8) <= first, "the first pool has room for all"


async def _cancelled(client: httpx2.AsyncClient, player: HttpPlayer) -> None:
    task = asyncio.ensure_future(client.get(player.origin))
    await asyncio.sleep(0)
    task.cancel()
    await task
