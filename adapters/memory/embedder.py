"""An embedder for tests: it plays what it was handed and remembers what it was asked."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence

from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.embeddings import EmbeddingRequest, Embeddings
from tollkeeper.domain.errors import CorruptResponse

Vectors = Sequence[Sequence[float]]
Played = Vectors | Embeddings | Exception
Answer = Played | Callable[[EmbeddingRequest], Played | Awaitable[Played]]
_DIMENSIONS = 8


class MemoryEmbedder:
    """Plays *answers* one after the other; the last one again and again.

    An answer is a list of vectors, a whole ``Embeddings``, an error, which is raised, or a
    function that makes one of these of the request, at once or to be awaited. Without answers
    each text has a vector of its own.
    """

    def __init__(self, *answers: Answer) -> None:
        self._answers = answers
        self.requests: list[EmbeddingRequest] = []
        """What was asked, the oldest first."""
        self.credentials: list[Credential | None] = []
        """What each request was given to authenticate with."""

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        """Play the next answer."""
        answer: Answer = hashed
        if self._answers:
            answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
        self.requests.append(request)
        self.credentials.append(credential)
        played = answer(request) if callable(answer) else answer
        found = await played if isinstance(played, Awaitable) else played
        if isinstance(found, Exception):
            raise found
        if isinstance(found, Embeddings):
            return found
        vectors = tuple(tuple(vector) for vector in found)
        if len(vectors) != len(request.texts):
            raise CorruptResponse(
                "the vectors that were to be played are not one for each text",
                port="embedder",
                adapter="memory",
            )
        return Embeddings(vectors, _words(request), request.model)


def hashed(request: EmbeddingRequest) -> Embeddings:
    """Make a vector of each text's hash; no text is near another."""
    length = request.dimensions or _DIMENSIONS
    vectors = tuple(_vector(text, length) for text in request.texts)
    return Embeddings(vectors, _words(request), request.model)


def _vector(text: str, length: int) -> tuple[float, ...]:
    digest = hashlib.shake_256(text.encode()).digest(length)
    return tuple(byte / 127.5 - 1.0 for byte in digest)


def _words(request: EmbeddingRequest) -> int:
    return sum(max(1, len(text.split())) for text in request.texts)
