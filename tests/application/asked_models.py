"""Models to ask: what they are to answer is handed to them, and what they were asked is kept."""

from datetime import timedelta
from typing import Any

from tests.application.world import World
from tollkeeper import Completion, CompletionStream, Delta, FinishReason, TokenUsage, user
from tollkeeper.adapters.memory.chat_model import Item, MemoryChatModel
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.embeddings import EmbeddingRequest, Embeddings
from tollkeeper.domain.errors import PortError, Throttled, Unavailable

HELLO = (user("Hello there"),)
USAGE = TokenUsage(input=10, output=5)


def answer(text: str = "General Kenobi", usage: TokenUsage | None = USAGE) -> list[Item]:
    """Say *text*."""
    return [Delta(text=text), Delta(finish_reason=FinishReason.STOP, usage=usage)]


def failing(kind: type[PortError] = Unavailable, **about: Any) -> list[Item]:
    """Fail before the first word."""
    return [kind("it does not work", port="chat_model", adapter="test", **about)]


def limited(seconds: float | None = None) -> list[Item]:
    """Answer 429."""
    after = None if seconds is None else timedelta(seconds=seconds)
    return failing(Throttled, status=429, retry_after=after)


class KeyedModel(MemoryChatModel):
    """A model of *provider* at *base_url* that needs a credential for there."""

    def __init__(self, provider: str, *answers: Any, base_url: str = "https://one.example") -> None:
        super().__init__(*answers)
        self.provider, self.base_url = provider, base_url
        self.keys: list[str] = []
        """The secrets that came, in order; the house's own reads ``house``."""

    def stream(self, request: ChatRequest, *, credential: Credential | None = None) -> Any:
        key = "house"
        if credential is not None:
            key = credential.revealed_to(
                provider=self.provider, base_url=self.base_url, adapter="test"
            )
        self.keys.append(key)
        return super().stream(request, credential=credential)


class KeyedEmbedder:
    """An embedder of *provider* at *base_url* that needs a credential for there."""

    def __init__(self, provider: str, base_url: str) -> None:
        self.provider, self.base_url = provider, base_url
        self.keys: list[str] = []
        """The secrets that came, in order; the house's own reads ``house``."""

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        key = "house"
        if credential is not None:
            key = credential.revealed_to(
                provider=self.provider, base_url=self.base_url, adapter="test"
            )
        self.keys.append(key)
        return Embeddings(tuple((1.0,) for _ in request.texts), 1, request.model)


async def ask(world: World, model: str = "tokens/m", **options: Any) -> Completion:
    """Complete a greeting."""
    options = {"messages": HELLO, **options}
    return await world.tk.complete(world.principal, model=model, **options)


def streamed(world: World, model: str = "tokens/m", **options: Any) -> CompletionStream:
    """Stream a greeting."""
    options = {"messages": HELLO, **options}
    return world.tk.stream_completion(world.principal, model=model, **options)
