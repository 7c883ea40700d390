"""The OpenAI-wire embedder against a real HTTP server on loopback."""

import base64
import struct
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.adapters.openai_calls import KEY
from tests.adapters.openai_embeddings import Scripted, embedder, scripted
from tests.servers.wire import FORMATS
from tests.servers.wire_server import WireServer, wire_server
from tollkeeper.adapters.openai.embedder import OpenaiEmbedder
from tollkeeper.adapters.openai.vectors import OUT_OF_REACH
from tollkeeper.contracts.embedder import EmbedderContract
from tollkeeper.domain.embeddings import EmbeddingRequest
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    CredentialsRefused,
    InvalidRequest,
    Rejected,
    Unsupported,
)
from tollkeeper.domain.secret import Secret

__all__ = ["embedder", "scripted"]  # fixtures
pytestmark = pytest.mark.anyio

PROVIDERS = ("openai", "openrouter", "morph", "gemini")
REQUEST = EmbeddingRequest("m", ("one", "two"))


@pytest.fixture(scope="module", params=PROVIDERS)
def wire(request: pytest.FixtureRequest) -> Iterator[WireServer]:
    with wire_server(FORMATS[request.param], KEY) as server:
        yield server


class TestOpenaiEmbedder(EmbedderContract):
    @pytest.fixture
    async def embedder(self, wire: WireServer) -> AsyncIterator[OpenaiEmbedder]:
        provider = wire.format.name
        async with OpenaiEmbedder(wire.base_url, Secret(KEY), provider=provider) as embedder:
            yield embedder

    @pytest.fixture
    async def another_embedder(self, wire: WireServer) -> AsyncIterator[OpenaiEmbedder]:
        async with OpenaiEmbedder(wire.base_url, Secret(KEY)) as embedder:
            yield embedder

    @pytest.fixture
    def model(self) -> str:
        return "echo"


def item(index: int | None, embedding: Any) -> dict[str, Any]:
    found = {"object": "embedding", "index": index, "embedding": embedding}
    return {name: value for name, value in found.items() if value is not None}


def packed(*values: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def answer(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"object": "list", "data": list(items), "model": "m-1", **more}


async def test_what_goes_out_is_the_request(scripted: Scripted, embedder: OpenaiEmbedder) -> None:
    scripted.says(answer(item(0, packed(1, 0)), item(1, packed(0, 1))))
    await embedder.embed(REQUEST)
    assert scripted.sent == {"model": "m", "input": ["one", "two"], "encoding_format": "base64"}
    request = EmbeddingRequest("m", ("a", "b"), dimensions=2, user="u", extra={"task": "search"})
    await embedder.embed(request)
    assert (scripted.sent["dimensions"], scripted.sent["user"]) == (2, "u")
    assert scripted.sent["task"] == "search"


@pytest.mark.parametrize(
    "items",
    [
        (item(0, packed(1, 2.5)), item(1, packed(-3, 4))),
        (item(1, packed(-3, 4)), item(0, packed(1, 2.5))),
        (item(0, [1, 2.5]), item(1, [-3, 4.0])),
        (item(None, packed(1, 2.5)), item(None, packed(-3, 4))),
        (item(1, [-3, 4]), item(None, [1, 2.5])),
    ],
    ids=["in order", "out of order", "as numbers", "without indices", "zero left out"],
)
async def test_vectors_are_read_in_every_form(
    scripted: Scripted, embedder: OpenaiEmbedder, items: tuple[dict[str, Any], ...]
) -> None:
    scripted.says(answer(*items, usage={"prompt_tokens": 3, "total_tokens": 3}))
    found = await embedder.embed(REQUEST)
    assert found.vectors == ((1.0, 2.5), (-3.0, 4.0))
    assert (found.input_tokens, found.model) == (3, "m-1")
    assert all(type(value) is float for vector in found.vectors for value in vector)


@pytest.mark.parametrize(
    "usage",
    [None, {}, {"prompt_tokens": 0}, {"prompt_tokens": -1}, {"prompt_tokens": "3"}, 7, []],
)
async def test_usage_that_is_no_count_is_none(
    scripted: Scripted, embedder: OpenaiEmbedder, usage: object
) -> None:
    scripted.says(answer(item(0, [1, 2]), item(1, [3, 4]), usage=usage))
    assert (await embedder.embed(REQUEST)).input_tokens is None


NAN = packed(float("nan"), 1)
INFINITE = packed(float("inf"), float("-inf"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{nonsense",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        {},
        answer(),
        answer(item(0, [1, 2])),
        answer(item(0, [1, 2]), item(1, [1, 2]), item(2, [1, 2])),
        answer(item(0, [1, 2]), item(0, [1, 2])),
        answer(item(0, [1, 2]), item(2, [1, 2])),
        answer(item(-1, [1, 2]), item(0, [1, 2])),
        answer(item(0, [1, 2]), item(1, [1, 2, 3])),
        answer(item(0, []), item(1, [])),
        answer(item(0, ""), item(1, "")),
        answer(item(0, "no base64!"), item(1, packed(1, 2))),
        answer(item(0, "AAAA"), item(1, packed(1, 2))),
        answer(item(0, NAN), item(1, NAN)),
        answer(item(0, INFINITE), item(1, INFINITE)),
        answer(item(0, ["1", "2"]), item(1, [1, 2])),
        answer(item(0, None), item(1, None)),
    ],
)
async def test_what_is_not_one_vector_for_each_text_is_corrupt(
    scripted: Scripted, embedder: OpenaiEmbedder, body: Any
) -> None:
    scripted.says(body)
    with pytest.raises(CorruptResponse) as raised:
        await embedder.embed(REQUEST)
    assert (raised.value.port, raised.value.adapter) == ("embedder", "openai")


async def test_dimensions_that_are_not_honoured_are_no_answer(
    scripted: Scripted, embedder: OpenaiEmbedder
) -> None:
    scripted.says(answer(item(0, [1, 2, 3])))
    with pytest.raises(Rejected) as raised:
        await embedder.embed(EmbeddingRequest("m", "one", dimensions=2))
    assert raised.value.code == "dimensions_not_honoured"
    assert raised.value.ambiguous, "the work was done, and may be billed"


@pytest.mark.parametrize("name", sorted(OUT_OF_REACH))
async def test_extra_reaches_nothing_that_the_price_rests_on(name: str) -> None:
    embedder = OpenaiEmbedder("http://127.0.0.1:9/v1")
    with pytest.raises(Unsupported, match=name):
        await embedder.embed(EmbeddingRequest("m", "x", extra={name: 1}))


async def test_what_cannot_be_sent_is_refused_before_anything_is() -> None:
    gemini = OpenaiEmbedder("http://127.0.0.1:9/v1", dialect="gemini")
    with pytest.raises(Unsupported, match="user"):
        await gemini.embed(EmbeddingRequest("m", "x", user="u"))
    with pytest.raises(InvalidRequest, match="extra"):
        await gemini.embed(EmbeddingRequest("m", "x", extra={"x": object()}))


async def test_health_asks_for_the_models(scripted: Scripted, embedder: OpenaiEmbedder) -> None:
    scripted.says({"data": []})
    assert "answers" in await embedder.health()
    scripted.says({}, status=401)
    with pytest.raises(CredentialsRefused) as raised:
        await embedder.health()
    assert raised.value.port == "embedder"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://host/v1", "embedder's URL must read"),
        ("openai+https://host/v1?idle_timeout=1", "there are connect_timeout"),
        ("openai+https://host/v1?dialect=klingon", "dialect is openai"),
    ],
)
def test_a_url_that_cannot_be_right_is_refused(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        OpenaiEmbedder.from_url(url)


def test_a_url_configures_all() -> None:
    options = "connect_timeout=1&total_timeout=3&connections=4&dialect=groq"
    embedder = OpenaiEmbedder.from_url(f"openai+http://host/v1/?{options}", api_key=Secret(KEY))
    assert (embedder.base_url, embedder.dialect) == ("http://host/v1", "groq")
    assert KEY not in repr(embedder)
