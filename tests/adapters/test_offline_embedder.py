"""The offline embedder: the same vectors everywhere, and texts that share words near each other."""

import math

import pytest

from tollkeeper.adapters.offline.behaviour import FAILURES
from tollkeeper.adapters.offline.embedder import OfflineEmbedder, vector_of
from tollkeeper.contracts.embedder import EmbedderContract, nearness
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.embeddings import EmbeddingRequest
from tollkeeper.domain.errors import (
    ConfigurationError,
    CredentialsRefused,
    NotFound,
    PortError,
    Unsupported,
)
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio

EMBEDDER = OfflineEmbedder()


class TestOfflineEmbedder(EmbedderContract):
    @pytest.fixture
    async def embedder(self) -> OfflineEmbedder:
        return OfflineEmbedder()

    @pytest.fixture
    async def another_embedder(self) -> OfflineEmbedder:
        return OfflineEmbedder()

    @pytest.fixture
    def model(self) -> str:
        return "hash"


def test_texts_that_share_words_are_nearer_than_those_that_do_not() -> None:
    cat, cats, market = (
        vector_of(text)
        for text in (
            "The cat sleeps on the sofa.",
            "A cat was sleeping on our sofa!",
            "Shares fell sharply in early trading.",
        )
    )
    assert nearness(cat, cats) > nearness(cat, market) + 0.2
    assert nearness(vector_of("Cat, SOFA"), vector_of("sofa, cat")) > 0.999


@pytest.mark.parametrize("text", ["Hello", " ", "\x00", "世界", "🌍", "a" * 50_000])
@pytest.mark.parametrize("dimensions", [1, 2, 64, 1_000])
def test_every_vector_has_length_1(text: str, dimensions: int) -> None:
    vector = vector_of(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(math.hypot(*vector), 1.0)


def test_the_vectors_are_the_same_on_every_machine() -> None:
    first = vector_of("Tollkeeper", 4)
    assert [round(value, 6) for value in first] == [0.0, 0.970143, 0.0, -0.242536]


@pytest.mark.parametrize("name", FAILURES)
async def test_a_model_that_was_asked_to_fail_does(name: str) -> None:
    with pytest.raises(FAILURES[name]) as raised:
        await EMBEDDER.embed(EmbeddingRequest(f"fail-{name}", "x"))
    assert isinstance(raised.value, PortError)
    assert (raised.value.port, raised.value.adapter) == ("embedder", "offline")


async def test_usage_is_a_token_a_word_or_not_reported() -> None:
    texts = ("Hello, world", " ")
    assert (await EMBEDDER.embed(EmbeddingRequest("hash", texts))).input_tokens == 4
    assert (await EMBEDDER.embed(EmbeddingRequest("silent-usage", texts))).input_tokens is None


async def test_what_there_is_not_is_refused_with_what_there_is() -> None:
    with pytest.raises(NotFound, match="hash, silent-usage"):
        await EMBEDDER.embed(EmbeddingRequest("echo", "x"))
    with pytest.raises(Unsupported, match="4096"):
        await EMBEDDER.embed(EmbeddingRequest("hash", "x", dimensions=5_000))


async def test_a_credential_of_another_place_is_refused() -> None:
    request = EmbeddingRequest("hash", "x")
    ours = Credential("offline", "offline://", Secret("any"))
    assert (await EMBEDDER.embed(request, credential=ours)).vectors
    with pytest.raises(CredentialsRefused) as raised:
        await EMBEDDER.embed(request, credential=Credential("openai", "https://h", Secret("k")))
    assert raised.value.port == "embedder"


def test_its_url_has_nothing_to_set() -> None:
    embedder = OfflineEmbedder.from_url("offline://", api_key=Secret("any"), provider="offline")
    assert (embedder.provider, embedder.base_url) == ("offline", "offline://")
    for url in ("offline://x", "offline://?dimensions=3", "openai://"):
        with pytest.raises(ConfigurationError, match="offline://"):
            OfflineEmbedder.from_url(url)


async def test_it_is_always_well() -> None:
    assert "deterministic" in await EMBEDDER.health()
