"""A server on loopback that answers the Supabase adapter by a script; import the fixtures."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.servers.http_player import HttpPlayer, Play, SeenRequest, http_player
from tests.servers.postgrest_keys import Keys
from tollkeeper.adapters.supabase.connections import SupabaseConnections

KEY = Keys().service
CANARY = "canary 4111-1111"


class Scripted:
    """A server that answers each request by the next of its plays, the last one for ever."""

    def __init__(self) -> None:
        self.plays: list[Play] = []

    def __call__(self, _: SeenRequest) -> Play:
        return self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]


@pytest.fixture(scope="module")
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture(scope="module")
def player(scripted: Scripted) -> Iterator[HttpPlayer]:
    with http_player(scripted) as player:
        yield player


@pytest.fixture
async def connections(player: HttpPlayer) -> AsyncIterator[SupabaseConnections]:
    player.requests.clear()
    url = player.origin.replace("http://", f"supabase+http://service_role:{KEY}@")
    async with SupabaseConnections.from_url(f"{url}?timeout=1") as connections:
        yield connections


def refusal(status: int, code: str = "", **said: Any) -> Play:
    body = {"code": code, "message": CANARY, "details": CANARY, "hint": CANARY, **said}
    return Play((json.dumps(body).encode(),), status=status)


def rows(*found: Any, total: int | str | None = None, status: int = 200) -> Play:
    span = f"0-{len(found) - 1}" if found else "*"
    headers = {"Content-Range": f"{span}/{len(found) if total is None else total}"}
    return Play((json.dumps(found).encode(),), status=status, headers=headers)
