"""A chat model over HTTP without a fault, made so that faults can be put in."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, ClassVar

from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import Completion, Delta
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import TollkeeperError
from tollkeeper.domain.secret import Secret

PATIENT = timedelta(seconds=20)


class Sound(OpenaiChatModel):
    """Has no fault."""

    format: ClassVar[str] = "openai"
    """The format of the server on which the fault shows."""

    def __init__(
        self,
        base_url: str,
        api_key: Secret | None,
        *,
        provider: str,
        patience: timedelta | None,
        **more: Any,
    ) -> None:
        wait = {"idle_timeout": patience or PATIENT, "total_timeout": patience or PATIENT}
        super().__init__(base_url, api_key, provider=provider, **{**wait, **more})

    def asked(self, request: ChatRequest) -> ChatRequest:
        """Let subclasses change what is asked."""
        return request

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        """Let subclasses change a whole answer."""
        return answer

    def piece(self, delta: Delta, request: ChatRequest) -> Delta:
        """Let subclasses change a piece."""
        return delta

    def failure(self, error: TollkeeperError) -> BaseException:
        """Let subclasses change an error."""
        return error

    async def _once(self, request: ChatRequest, credential: Credential | None) -> Completion:
        return await super().complete(request, credential=credential)

    async def deltas(
        self, request: ChatRequest, credential: Credential | None
    ) -> AsyncGenerator[Delta, None]:
        """Let subclasses change what comes."""
        stream = super().stream(request, credential=credential)
        try:
            async for delta in stream:
                yield delta
        finally:
            await stream.aclose()

    async def complete(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> Completion:
        request = self.asked(request)
        try:
            return self.answer(await self._once(request, credential), request)
        except TollkeeperError as error:
            fault = self.failure(error)
            if fault is error:
                raise
            raise fault from None

    async def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncGenerator[Delta, None]:
        request = self.asked(request)
        stream = self.deltas(request, credential)
        try:
            async for delta in stream:
                yield self.piece(delta, request)
        except TollkeeperError as error:
            fault = self.failure(error)
            if fault is error:
                raise
            raise fault from None
        finally:
            await stream.aclose()
