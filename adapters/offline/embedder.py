"""A deterministic embedder for development and tests: no network, no key, little meaning."""

import asyncio
import math
import re
import zlib
from collections.abc import Iterator
from typing import Self

from tollkeeper.adapters.offline.behaviour import (
    ADAPTER,
    BASE_URL,
    FAILURES,
    checked_credential,
    failure,
)
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.embeddings import EmbeddingRequest, Embeddings
from tollkeeper.domain.errors import ConfigurationError, NotFound, Unsupported
from tollkeeper.domain.secret import Secret

PORT = "embedder"
DIMENSIONS = 64
_MOST_DIMENSIONS = 4_096
_WORD = re.compile(r"\w+|[^\w\s]")
MODELS = ("hash", "silent-usage", *(f"fail-{name}" for name in FAILURES))


class OfflineEmbedder:
    """Makes vectors of length 1 by hashing words: texts that share words are near each other.

    Each word, and each three letters in a row of it, has a place and a sign; capitals do not
    matter, nor does the order of the words. A word counts as one token. The model ``hash`` makes
    64 dimensions, or as many as are asked for; ``silent-usage`` does the same and does not report
    its usage; ``fail-unavailable`` and the other ``fail-…`` raise at once.
    """

    @classmethod
    def from_url(
        cls, url: str, *, api_key: Secret | None = None, provider: str | None = None
    ) -> Self:
        """Make one from ``offline://``. No key is used.

        Whatever *provider* is called, this one is called ``offline``.

        Raises:
            ConfigurationError: the URL says something else.
        """
        if url != BASE_URL:
            raise ConfigurationError("the offline embedder's URL is offline://, without options")
        return cls()

    @property
    def provider(self) -> str:
        """The provider's name."""
        return ADAPTER

    @property
    def base_url(self) -> str:
        """Where it is found: nowhere."""
        return BASE_URL

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        """Make one vector for each text."""
        checked_credential(credential, port=PORT)
        model = request.model
        if model not in MODELS:
            raise NotFound(
                f"there is no such offline embedder; there are {', '.join(MODELS)}",
                code="model_not_found",
            )
        await asyncio.sleep(0)
        if model.startswith("fail-"):
            raise failure(model.removeprefix("fail-"), port=PORT)
        dimensions = request.dimensions or DIMENSIONS
        if dimensions > _MOST_DIMENSIONS:
            raise Unsupported(f"the offline embedder makes at most {_MOST_DIMENSIONS} dimensions")
        vectors = tuple(vector_of(text, dimensions) for text in request.texts)
        tokens = sum(max(1, len(_WORD.findall(text))) for text in request.texts)
        return Embeddings(vectors, None if model == "silent-usage" else tokens, model)

    async def health(self) -> str:
        """Say what this is; it depends on nothing outside."""
        return "deterministic, for development and tests"


def vector_of(text: str, dimensions: int = DIMENSIONS) -> tuple[float, ...]:
    """Make the vector of *text*, of length 1; the same in every process and on every machine."""
    sums = [0.0] * dimensions
    for piece, weight in _pieces(text):
        number = zlib.crc32(piece.encode())
        sums[(number >> 1) % dimensions] += weight if number & 1 else -weight
    length = math.sqrt(sum(value * value for value in sums))
    if length == 0:  # nothing but blanks, or pieces that undo each other
        sums[zlib.crc32(text.encode()) % dimensions] = length = 1.0
    return tuple(value / length for value in sums)


def _pieces(text: str) -> Iterator[tuple[str, float]]:
    for word in _WORD.findall(text.lower()):
        yield word, 1.0
        edged = f"<{word}>"
        for place in range(len(edged) - 2):
            yield f"#{edged[place : place + 3]}", 0.25
