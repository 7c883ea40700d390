"""Something that turns texts into vectors."""

from typing import Protocol, runtime_checkable

from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.embeddings import EmbeddingRequest, Embeddings


@runtime_checkable
class Embedder(Protocol):
    """One provider's embedding models; ``request.model`` names which. One attempt, no retries.

    Raises what a :class:`~tollkeeper.ports.chat_model.ChatModel` raises, for the same reasons,
    with ``port`` set to ``embedder``; a *credential* is used as there.
    """

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        """Return one vector for each text, in order, all of one length."""
