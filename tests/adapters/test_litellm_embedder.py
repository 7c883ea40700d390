"""The contract of embedders, through litellm, against real servers."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.adapters.litellm_calls import KEY, provider_server, shows_nothing
from tests.servers.wire import scenarios
from tests.servers.wire.answer import Json
from tests.servers.wire_server import WireServer
from tollkeeper.adapters.litellm.embedder import LitellmEmbedder
from tollkeeper.contracts.embedder import EmbedderContract
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.embeddings import EmbeddingRequest
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    CredentialsRefused,
    PortError,
    Throttled,
    Unsupported,
)
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.embedder import Embedder

pytestmark = pytest.mark.anyio


class _OnTheWire(EmbedderContract):
    provider = ""
    format = "openai"

    @pytest.fixture
    def server(self) -> Iterator[WireServer]:
        with provider_server(self.format) as server:
            yield server

    @pytest.fixture
    async def embedder(self, server: WireServer) -> AsyncIterator[Embedder]:
        async with _embedder(server, self.provider) as embedder:
            yield embedder

    @pytest.fixture
    async def another_embedder(self, server: WireServer) -> AsyncIterator[Embedder]:
        async with _embedder(server, self.provider) as embedder:
            yield embedder

    @pytest.fixture
    def model(self) -> str:
        return "echo"


def _embedder(server: WireServer, provider: str) -> LitellmEmbedder:
    return LitellmEmbedder(server.base_url, Secret(KEY), provider=provider)


class TestLitellmEmbedderOpenai(_OnTheWire):
    """In the format that litellm leaves to OpenAI's own client."""

    provider = "openai"


class TestLitellmEmbedderHostedVllm(_OnTheWire):
    """Through a class of litellm's for embeddings."""

    provider = "hosted_vllm"


class TestLitellmEmbedderGemini(_OnTheWire):
    provider = "gemini"
    format = "gemini"


@pytest.fixture
def server() -> Iterator[WireServer]:
    with provider_server("openai") as server:
        yield server


async def test_no_key_is_looked_for_elsewhere(server: WireServer) -> None:
    async with LitellmEmbedder(server.base_url, provider="openai") as embedder:
        with pytest.raises(CredentialsRefused) as raised:
            await embedder.embed(EmbeddingRequest("echo", "a"))
        assert raised.value.code == "credential_missing"
        assert raised.value.port == "embedder"
        elsewhere = Credential("openai", "https://elsewhere.example", Secret(KEY))
        with pytest.raises(CredentialsRefused) as raised:
            await embedder.embed(EmbeddingRequest("echo", "a"), credential=elsewhere)
        assert raised.value.code == "credential_bound_elsewhere"
        assert raised.value.port == "embedder"
        assert not server.requests
        own = Credential("openai", server.base_url, Secret(KEY))
        assert (await embedder.embed(EmbeddingRequest("echo", "a"), credential=own)).vectors


async def test_a_failure_is_the_same_as_for_a_chat(server: WireServer) -> None:
    server.script("limited", scenarios.status(429, wait="seconds"))
    server.script("page", scenarios.html())
    server.script("nonsense", scenarios.invalid_json())
    async with _embedder(server, "openai") as embedder:
        known: dict[str, type[PortError]] = {
            "limited": Throttled,
            "page": CorruptResponse,
            "nonsense": CorruptResponse,
        }
        for model, expected in known.items():
            with pytest.raises(expected) as raised:
                await embedder.embed(EmbeddingRequest(model, "a"))
            assert (raised.value.port, raised.value.adapter) == ("embedder", "litellm")
            shows_nothing(raised.value)
        assert await embedder.health() == f"{server.base_url} answers"


async def test_what_the_request_itself_says_is_not_for_extra(server: WireServer) -> None:
    extra: Json = {"input": ["something else"]}
    async with _embedder(server, "openai") as embedder:
        with pytest.raises(Unsupported, match="input"):
            await embedder.embed(EmbeddingRequest("echo", "a", extra=extra))
        assert not server.requests


async def test_a_provider_without_embeddings_says_so(server: WireServer) -> None:
    async with _embedder(server, "anthropic") as embedder:
        with pytest.raises(ConfigurationError, match="embeddings of anthropic"):
            await embedder.embed(EmbeddingRequest("echo", "a"))


def test_it_is_made_from_a_url_and_says_nothing_secret() -> None:
    url = "litellm+https://api.voyageai.com/v1?provider=voyage&total_timeout=5"
    embedder = LitellmEmbedder.from_url(url, api_key=Secret(KEY), provider="tenant-voyage")
    assert (embedder.provider, embedder.base_url) == (
        "tenant-voyage",
        "https://api.voyageai.com/v1",
    )
    assert "voyage" in repr(embedder)
    assert KEY not in repr(embedder)
    with pytest.raises(ConfigurationError, match="idle_timeout"):
        LitellmEmbedder.from_url("litellm+https://host/v1?idle_timeout=1")
