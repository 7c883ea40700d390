"""What every embedder does, whoever provides it."""

import asyncio
import copy
import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import attrs
import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.embeddings import EmbeddingRequest, Embeddings
from tollkeeper.domain.errors import ContextWindowExceeded, NotFound, Rejected, Unsupported
from tollkeeper.ports.embedder import Embedder

TEXTS = (
    "The cat sleeps on the warm sofa.",
    "Quarterly revenue rose by nine percent.",
    "def add(a, b): return a + b",
)
SAME, OTHER = 0.999, 0.995
"""How near two vectors of one text are at least, and of two different texts at most.

Providers compute with little precision: the same text is not the same to the last bit.
"""

Vector = Sequence[float]


def nearness(left: Vector, right: Vector) -> float:
    """Return the cosine of the angle between two vectors: 1 for the same direction."""
    assert len(left) == len(right)
    product = math.fsum(a * b for a, b in zip(left, right, strict=True))
    return product / (math.hypot(*left) * math.hypot(*right))


async def within(patience: timedelta, work: Any) -> Any:
    """Await *work*; one that hangs fails the test instead of stopping the run."""
    async with asyncio.timeout(patience.total_seconds()):
        return await work


class EmbedderContract(Contract):
    """Needs ``embedder``, and ``model``: the name of an embedding model.

    On a live provider it makes some sixty small calls. Give ``another_embedder`` too, made apart
    from the first, to see that two share nothing.
    """

    @pytest.fixture
    def unknown_model(self) -> str:
        """Name a model that the provider does not have."""
        return "tollkeeper-contract-no-such-model"

    @pytest.fixture
    async def another_embedder(self, embedder: Embedder) -> Embedder:
        """Give a second one, of the same provider."""
        return embedder

    @pytest.fixture
    def patience(self) -> timedelta:
        """Say after how long a call hangs."""
        return timedelta(minutes=2)

    async def test_each_text_has_one_vector_of_finite_numbers(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        for texts in (TEXTS[:1], TEXTS):
            found = await within(patience, embedder.embed(EmbeddingRequest(model, texts)))
            assert len(found.vectors) == len(texts)
            for vector in found.vectors:
                assert all(isinstance(value, float) and math.isfinite(value) for value in vector)
                assert any(vector), "a vector points somewhere"

    async def test_all_vectors_have_one_length(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        texts = ("a", "Hello.", "word " * 200)
        batch = await within(patience, embedder.embed(EmbeddingRequest(model, texts)))
        later = await within(patience, embedder.embed(EmbeddingRequest(model, "Once more.")))
        assert len({len(vector) for vector in (*batch.vectors, *later.vectors)}) == 1

    async def test_vectors_come_in_the_order_of_the_texts(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        there = await within(patience, embedder.embed(EmbeddingRequest(model, TEXTS)))
        back = await within(patience, embedder.embed(EmbeddingRequest(model, TEXTS[::-1])))
        for first, second in zip(there.vectors, back.vectors[::-1], strict=True):
            assert nearness(first, second) > SAME

    async def test_many_texts_come_back_in_order(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        texts = [f"Sentence number {number} of the batch." for number in range(96)]
        batch = await within(patience, embedder.embed(EmbeddingRequest(model, texts)))
        assert len(batch.vectors) == len(texts)
        for place in (0, 9, 10, 50, 95):
            (alone,) = (
                await within(patience, embedder.embed(EmbeddingRequest(model, texts[place])))
            ).vectors
            assert nearness(batch.vectors[place], alone) > SAME

    async def test_a_batch_equals_its_texts_one_by_one(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        batch = await within(patience, embedder.embed(EmbeddingRequest(model, TEXTS)))
        for text, vector in zip(TEXTS, batch.vectors, strict=True):
            alone = await within(patience, embedder.embed(EmbeddingRequest(model, text)))
            assert nearness(alone.vectors[0], vector) > SAME

    async def test_the_same_text_has_the_same_vector(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        request = EmbeddingRequest(model, (TEXTS[0], TEXTS[1], TEXTS[0]))
        first = await within(patience, embedder.embed(request))
        again = await within(patience, embedder.embed(request))
        assert nearness(first.vectors[0], first.vectors[2]) > SAME
        for left, right in zip(first.vectors, again.vectors, strict=True):
            assert nearness(left, right) > SAME

    async def test_different_texts_have_different_vectors(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        found = await within(patience, embedder.embed(EmbeddingRequest(model, TEXTS)))
        for place, vector in enumerate(found.vectors):
            for other in found.vectors[place + 1 :]:
                assert nearness(vector, other) < OTHER

    async def test_dimensions_are_honoured_or_refused(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        for dimensions in (8, 256):
            request = EmbeddingRequest(model, TEXTS[:2], dimensions=dimensions)
            try:
                found = await within(patience, embedder.embed(request))
            except (Unsupported, Rejected):
                continue  # said so, rather than answered with vectors of another length
            assert {len(vector) for vector in found.vectors} == {dimensions}

    async def test_every_script_can_be_embedded(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        texts = (
            "Grüezi mitenand",
            "世界和平",
            "שלום עולם",
            "🌍🚠👩‍👩‍👧",
            "a\tb\n\nc\r\nd",
            "\x00\u202e!",
            " ",
        )
        found = await within(patience, embedder.embed(EmbeddingRequest(model, texts)))
        assert len(found.vectors) == len(texts)
        assert nearness(found.vectors[1], found.vectors[3]) < OTHER

    async def test_a_long_text_is_embedded_or_refused(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        request = EmbeddingRequest(model, (TEXTS[0], "many words " * 20_000))
        try:
            found = await within(patience, embedder.embed(request))
        except (ContextWindowExceeded, Rejected):
            return
        assert len(found.vectors) == 2

    async def test_an_unknown_model_is_refused(
        self, embedder: Embedder, unknown_model: str, patience: timedelta
    ) -> None:
        with pytest.raises((NotFound, Rejected)) as refusal:
            await within(patience, embedder.embed(EmbeddingRequest(unknown_model, TEXTS)))
        if isinstance(refusal.value, Rejected):
            assert refusal.value.port == "embedder"
            assert refusal.value.adapter

    async def test_usage_is_a_count_above_zero_or_none(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        short = await within(patience, embedder.embed(EmbeddingRequest(model, "Hi.")))
        more = await within(patience, embedder.embed(EmbeddingRequest(model, TEXTS * 4)))
        for found in (short, more):
            tokens = found.input_tokens
            assert tokens is None or (type(tokens) is int and tokens > 0)
        if short.input_tokens is not None and more.input_tokens is not None:
            assert more.input_tokens > short.input_tokens

    async def test_what_the_use_case_adds_is_left_to_it(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        found = await within(patience, embedder.embed(EmbeddingRequest(model, TEXTS)))
        assert isinstance(found, Embeddings)
        assert (found.receipt, found.provenance, found.provider) == (None, None, "")
        assert found.attempts == ()

    async def test_concurrent_calls_get_their_own_vectors(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        texts = [f"The marker {number} stands alone {'again ' * number}" for number in range(16)]
        calls = [embedder.embed(EmbeddingRequest(model, text)) for text in texts]
        together = await within(patience, asyncio.gather(*calls))
        for text, found in zip(texts, together, strict=True):
            alone = await within(patience, embedder.embed(EmbeddingRequest(model, text)))
            assert len(found.vectors) == 1
            assert nearness(found.vectors[0], alone.vectors[0]) > SAME

    async def test_a_cancelled_call_ends_at_once_and_leaves_the_embedder_usable(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        for turns in (1, 2, 5):
            task = asyncio.ensure_future(embedder.embed(EmbeddingRequest(model, TEXTS)))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=patience.total_seconds())
            assert done, "a cancelled call goes on"
            # A call may be done before it is cancelled, but not fail in another way.
            assert task.cancelled() or task.exception() is None
        assert (await within(patience, embedder.embed(EmbeddingRequest(model, TEXTS)))).vectors

    async def test_two_instances_share_nothing(
        self,
        embedder: Embedder,
        another_embedder: Embedder,
        model: str,
        patience: timedelta,
    ) -> None:
        left, right = EmbeddingRequest(model, TEXTS[0]), EmbeddingRequest(model, TEXTS[1:])
        for _ in range(3):
            from_left, from_right = await within(
                patience, asyncio.gather(embedder.embed(left), another_embedder.embed(right))
            )
            assert len(from_left.vectors) == 1
            assert len(from_right.vectors) == 2
            for vector in from_right.vectors:
                assert nearness(from_left.vectors[0], vector) < OTHER

    async def test_the_request_is_left_as_it_was(
        self, embedder: Embedder, model: str, patience: timedelta
    ) -> None:
        request = attrs.evolve(EmbeddingRequest(model, TEXTS), extra={})
        before = copy.deepcopy(request)
        await within(patience, embedder.embed(request))
        assert request == before
        assert request.extra == {}
