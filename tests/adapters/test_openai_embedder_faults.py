"""Every way in which an embedding request fails, and the error it becomes."""

from datetime import timedelta
from typing import Any

import pytest

from tests.adapters.openai_calls import KEY, shows_nothing
from tests.adapters.openai_embeddings import Scripted, embedder, scripted
from tests.servers.openai_plays import SECRET_WORDS
from tests.servers.wire import FORMATS, scenarios
from tests.servers.wire_server import wire_server
from tollkeeper.adapters.openai.embedder import OpenaiEmbedder
from tollkeeper.domain.embeddings import EmbeddingRequest
from tollkeeper.domain.errors import (
    CorruptResponse,
    CredentialsRefused,
    NotFound,
    PortError,
    Rejected,
    Throttled,
    Timeout,
    TollkeeperError,
    Unavailable,
)
from tollkeeper.domain.secret import Secret

__all__ = ["embedder", "scripted"]  # fixtures
pytestmark = pytest.mark.anyio

REQUEST = EmbeddingRequest("m", ("one", "two"))
GEMINIS = [{"error": {"code": 429, "message": SECRET_WORDS, "status": "RESOURCE_EXHAUSTED"}}]
FAILURES: dict[str, Any] = {
    "c": {"error": {"message": SECRET_WORDS, "type": "t", "code": "c"}},
    "invalid_api_key": {"error": {"message": SECRET_WORDS, "code": "invalid_api_key"}},
    "model_not_found": {"error": {"message": SECRET_WORDS, "code": "model_not_found"}},
    "RESOURCE_EXHAUSTED": GEMINIS,
    "503": {"error": {"message": SECRET_WORDS, "code": 503}},
    "": b"<html>",
}


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "c", Rejected),
        (401, "invalid_api_key", CredentialsRefused),
        (404, "model_not_found", NotFound),
        (429, "RESOURCE_EXHAUSTED", Throttled),
        (200, "RESOURCE_EXHAUSTED", Throttled),
        (200, "503", Unavailable),
        (503, "", Unavailable),
        (302, "", CorruptResponse),
    ],
)
async def test_a_failure_is_an_error_of_the_embedder(
    scripted: Scripted,
    embedder: OpenaiEmbedder,
    status: int,
    code: str,
    expected: type[TollkeeperError],
) -> None:
    scripted.says(FAILURES[code], status=status)
    with pytest.raises(expected) as raised:
        await embedder.embed(REQUEST)
    if isinstance(raised.value, PortError):
        assert (raised.value.port, raised.value.adapter) == ("embedder", "openai")
        assert raised.value.status == (status if status != 200 else None)
        assert raised.value.provider_code == code
    shows_nothing(raised.value)


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        (scenarios.breaks("reset"), Unavailable),
        (scenarios.breaks("cut"), Unavailable),
        (scenarios.breaks("whole"), CorruptResponse),
        (scenarios.breaks("stall"), Timeout),
        (scenarios.at_once("reset"), Unavailable),
        (scenarios.at_once("stall"), Timeout),
        (scenarios.html(), CorruptResponse),
        (scenarios.invalid_json(), CorruptResponse),
        (scenarios.invalid_utf8(), CorruptResponse),
    ],
)
async def test_an_answer_that_breaks_is_an_error_of_the_embedder(
    scenario: scenarios.Scenario, expected: type[PortError]
) -> None:
    soon = timedelta(seconds=0.3)
    with wire_server(FORMATS["openai"], KEY) as server:
        server.script("m", scenario)
        async with OpenaiEmbedder(server.base_url, Secret(KEY), total_timeout=soon) as embedder:
            with pytest.raises(expected) as raised:
                await embedder.embed(REQUEST)
    assert raised.value.port == "embedder"
    shows_nothing(raised.value)


async def test_a_compressed_answer_is_read_up_to_its_bound() -> None:
    with wire_server(FORMATS["openai"], KEY) as server:
        server.script("m", scenarios.gzipped())
        async with OpenaiEmbedder(server.base_url, Secret(KEY)) as embedder:
            assert len((await embedder.embed(REQUEST)).vectors) == 2
        async with OpenaiEmbedder(server.base_url, Secret(KEY), largest_response=500) as embedder:
            with pytest.raises(CorruptResponse, match="larger") as raised:
                await embedder.embed(REQUEST)
            assert raised.value.port == "embedder"
