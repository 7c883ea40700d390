"""A chat model that answers in a given way and counts how often it was asked."""

import asyncio
from collections.abc import AsyncIterator

from attrs import define, field

from tollkeeper import Completion, Delta, FinishReason, TokenUsage
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.credentials import Credential


@define
class CountingModel:
    """Answers in a given way and counts how often it was asked."""

    usage: TokenUsage | None = None
    error: Exception | None = None
    wait: float = 0.0
    asked: int = field(default=0, init=False)
    last: ChatRequest | None = field(default=None, init=False)

    async def complete(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> Completion:
        self.asked += 1
        self.last = request
        await asyncio.sleep(self.wait)
        if self.error is not None:
            raise self.error
        return Completion(
            text="General Kenobi", finish_reason=FinishReason.STOP, usage=self.usage, model="m"
        )

    async def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncIterator[Delta]:
        answer = await self.complete(request)
        yield Delta(text=answer.text)
        yield Delta(finish_reason=answer.finish_reason, usage=answer.usage)
