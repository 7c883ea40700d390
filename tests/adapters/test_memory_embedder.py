"""The embedder that plays what a test hands it."""

import asyncio

import pytest

from tollkeeper.adapters.memory.embedder import MemoryEmbedder, hashed
from tollkeeper.contracts.embedder import EmbedderContract
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.embeddings import EmbeddingRequest, Embeddings
from tollkeeper.domain.errors import CorruptResponse, NotFound, Throttled
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio

REQUEST = EmbeddingRequest("any", ("one", "two"))
BUSY = Throttled("busy", port="embedder", adapter="memory")


def known(request: EmbeddingRequest) -> Embeddings | Exception:
    """Answer for one model alone."""
    if request.model != "known":
        return NotFound("there is no such model", code="model_not_found")
    return hashed(request)


class TestMemoryEmbedder(EmbedderContract):
    @pytest.fixture
    async def embedder(self) -> MemoryEmbedder:
        return MemoryEmbedder(known)

    @pytest.fixture
    async def another_embedder(self) -> MemoryEmbedder:
        return MemoryEmbedder(known)

    @pytest.fixture
    def model(self) -> str:
        return "known"


async def test_answers_are_played_in_turn_and_the_last_one_again() -> None:
    said = Embeddings(((1.0,), (2.0,)), input_tokens=7, model="said")
    embedder = MemoryEmbedder([[1.0, 0.0], [0.0, 1.0]], BUSY, said)
    first = await embedder.embed(REQUEST)
    assert first == Embeddings(((1.0, 0.0), (0.0, 1.0)), input_tokens=2, model="any")
    with pytest.raises(Throttled):
        await embedder.embed(REQUEST)
    assert await embedder.embed(REQUEST) is said
    assert await embedder.embed(REQUEST) is said


async def test_it_remembers_what_it_was_asked_and_with_which_credential() -> None:
    embedder = MemoryEmbedder()
    credential = Credential("any", "http://host", Secret("k"))
    await embedder.embed(REQUEST)
    await embedder.embed(EmbeddingRequest("other", "x"), credential=credential)
    assert [request.model for request in embedder.requests] == ["any", "other"]
    assert embedder.credentials == [None, credential]


async def test_without_an_answer_each_text_has_a_vector_of_its_own() -> None:
    found = await MemoryEmbedder().embed(EmbeddingRequest("m", ("a", "b", "a"), dimensions=3))
    first, second, third = found.vectors
    assert first == third != second
    assert len(first) == 3


async def test_a_function_may_hold_the_call() -> None:
    gate = asyncio.Event()

    async def held(request: EmbeddingRequest) -> Embeddings:
        await gate.wait()
        return hashed(request)

    call = asyncio.ensure_future(MemoryEmbedder(held).embed(REQUEST))
    await asyncio.sleep(0)
    assert not call.done()
    gate.set()
    assert len((await call).vectors) == 2


async def test_vectors_that_are_not_one_for_each_text_are_a_fault_of_the_test() -> None:
    with pytest.raises(CorruptResponse):
        await MemoryEmbedder([[1.0]]).embed(REQUEST)
