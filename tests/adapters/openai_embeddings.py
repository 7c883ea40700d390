"""A server that says to every embedding request what a test hands it."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.adapters.openai_calls import KEY
from tests.servers.http_player import HttpPlayer, Play, SeenRequest, http_player
from tollkeeper.adapters.openai.embedder import OpenaiEmbedder
from tollkeeper.domain.secret import Secret


class Scripted:
    """A server that answers every request with *play*."""

    def __init__(self) -> None:
        self.play = Play()
        self.player: HttpPlayer | None = None

    def answer(self, _: SeenRequest) -> Play:
        return self.play

    def says(self, body: Any, *, status: int = 200) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.play = Play((data,), status=status, framing="length")

    @property
    def sent(self) -> dict[str, Any]:
        assert self.player is not None
        return self.player.last.json


@pytest.fixture(scope="module")
def scripted() -> Iterator[Scripted]:
    script = Scripted()
    with http_player(script.answer) as script.player:
        yield script


@pytest.fixture
async def embedder(scripted: Scripted) -> AsyncIterator[OpenaiEmbedder]:
    assert scripted.player is not None
    async with OpenaiEmbedder(
        f"{scripted.player.origin}/v1", Secret(KEY), total_timeout=timedelta(seconds=0.5)
    ) as embedder:
        yield embedder
