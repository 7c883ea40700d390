"""Embedders with one fault each; the one they are made from has none."""

import asyncio
from typing import Any

import attrs

from tollkeeper.adapters.offline.embedder import vector_of
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.embeddings import EmbeddingRequest, Embeddings
from tollkeeper.domain.errors import NotFound, Unavailable
from tollkeeper.domain.meters import Provenance


class Exact:
    """Has no fault."""

    longest = 10_000

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        """Answer as it should be."""
        if request.model != "exact":
            raise NotFound("there is no such model", code="model_not_found")
        await asyncio.sleep(0)
        length = request.dimensions or 64
        vectors = tuple(vector_of(text, length) for text in request.texts)
        words = sum(max(1, len(text.split())) for text in request.texts)
        return Embeddings(vectors, words, request.model)


class Changed(Exact):
    """Lets subclasses change what is answered."""

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        return self.changed(await super().embed(request), request)

    def changed(self, found: Embeddings, request: EmbeddingRequest) -> Embeddings:
        raise NotImplementedError


class NotANumber(Changed):
    """Answers with vectors that hold what is no number."""

    def changed(self, found: Embeddings, request: EmbeddingRequest) -> Embeddings:
        return attrs.evolve(found, vectors=tuple((float("nan"),) * 8 for _ in found.vectors))


class AsLongAsTheText(Changed):
    """Makes longer vectors of longer texts."""

    def changed(self, found: Embeddings, request: EmbeddingRequest) -> Embeddings:
        vectors = tuple(
            vector if len(text) < 500 else (*vector, 0.0)
            for text, vector in zip(request.texts, found.vectors, strict=True)
        )
        return attrs.evolve(found, vectors=vectors)


class Sorts(Changed):
    """Answers in an order of its own."""

    def changed(self, found: Embeddings, request: EmbeddingRequest) -> Embeddings:
        return attrs.evolve(found, vectors=tuple(sorted(found.vectors)))


class CountsAsText(Changed):
    """Puts more than ten vectors in the order of their numbers as text: 0, 1, 10, 11, … 2."""

    def changed(self, found: Embeddings, request: EmbeddingRequest) -> Embeddings:
        order = sorted(range(len(found.vectors)), key=str)
        return attrs.evolve(found, vectors=tuple(found.vectors[place] for place in order))


class MixesItsBatch(Changed):
    """Lets a text's neighbours have a part in its vector."""

    def changed(self, found: Embeddings, request: EmbeddingRequest) -> Embeddings:
        total = [sum(column) for column in zip(*found.vectors, strict=True)]
        return attrs.evolve(
            found,
            vectors=tuple(
                tuple(0.5 * own + 0.5 * all_ for own, all_ in zip(vector, total, strict=True))
                for vector in found.vectors
            ),
        )


class Fickle(Exact):
    """Answers in another way each time."""

    def __init__(self) -> None:
        self._calls = 0

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        self._calls += 1
        found = await super().embed(request)
        turned = self._calls % len(found.vectors[0])
        vectors = tuple(vector[turned:] + vector[:turned] for vector in found.vectors)
        return attrs.evolve(found, vectors=vectors)


class Indifferent(Changed):
    """Has the same vector for everything."""

    def changed(self, found: Embeddings, request: EmbeddingRequest) -> Embeddings:
        length = len(found.vectors[0])
        return attrs.evolve(found, vectors=tuple(vector_of("x", length) for _ in found.vectors))


class DeafToDimensions(Exact):
    """Ignores how many dimensions are asked for."""

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        return await super().embed(attrs.evolve(request, dimensions=None))


class AsciiAlone(Changed):
    """Drops what is not ASCII before it looks at a text."""

    def changed(self, found: Embeddings, request: EmbeddingRequest) -> Embeddings:
        bare = (text.encode("ascii", "ignore").decode() or "?" for text in request.texts)
        vectors = tuple(vector_of(text, len(found.vectors[0])) for text in bare)
        return attrs.evolve(found, vectors=vectors)


class SkipsTheLong(Changed):
    """Leaves out the texts that are too long, and says nothing."""

    def changed(self, found: Embeddings, request: EmbeddingRequest) -> Embeddings:
        both = zip(request.texts, found.vectors, strict=True)
        return attrs.evolve(found, vectors=tuple(v for text, v in both if len(text) < self.longest))


class KnowsEveryModel(Exact):
    """Answers for a model that it does not have."""

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        return await super().embed(attrs.evolve(request, model="exact"))


class CountsNothing(Changed):
    """Reports that nothing was read."""

    def changed(self, found: Embeddings, request: EmbeddingRequest) -> Embeddings:
        return attrs.evolve(found, input_tokens=0)


class SaysWhoCounted(Changed):
    """Fills in what the use case alone can know."""

    def changed(self, found: Embeddings, request: EmbeddingRequest) -> Embeddings:
        return attrs.evolve(found, provider="exact", provenance=Provenance.REPORTED)


class SharesItsPlace(Exact):
    """Keeps the request that is under way in one place for all calls."""

    def __init__(self) -> None:
        self._request: Any = None

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        self._request = request
        await asyncio.sleep(0)
        return await super().embed(self._request)


class SwallowsCancellation(Exact):
    """Turns the wish to leave into an outage."""

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        try:
            for _ in range(10):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            raise Unavailable("the call failed", port="embedder", adapter="kit") from None
        return await super().embed(request)


class KeepsItsPlace(Exact):
    """Never gives back the only place of a call that was cancelled."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(1)

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        await self._places.acquire()
        for _ in range(2):
            await asyncio.sleep(0)
        found = await super().embed(request)
        self._places.release()
        return found


class SharedByAll(Exact):
    """Keeps the request that is under way in one place for all instances."""

    request: Any = None

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        SharedByAll.request = request
        await asyncio.sleep(0)
        return await super().embed(SharedByAll.request)


class ChangesTheRequest(Exact):
    """Writes its own settings into the caller's request."""

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        if isinstance(request.extra, dict):
            request.extra["encoding_format"] = "base64"
        return await super().embed(request)
