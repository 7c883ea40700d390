"""Chat models with one fault each; the one they are made from has none."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable

import anyio
import attrs

from tollkeeper.adapters.memory.chat_model import Item, MemoryChatModel
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import (
    Completion,
    Delta,
    FinishReason,
    TokenUsage,
    ToolCallDelta,
)
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import NotFound, Unavailable
from tollkeeper.domain.messages import Role
from tollkeeper.domain.tools import JsonSchema


def obedient(request: ChatRequest) -> Iterable[Item]:
    """Answer as the suite asks a model to: repeat the prompt, call the tool, write the JSON."""
    if request.model != "obedient":
        yield NotFound("there is no such model", code="model_not_found")
        return
    yield _turn
    words = request.messages[-1].text.split()
    if isinstance(request.response_format, JsonSchema):
        words = ['{"city":', '"Paris"}']
    if request.tool_choice == "required" and request.messages[-1].role is not Role.TOOL:
        yield Delta(tool_calls=(ToolCallDelta(0, "call_1", "get_weather", '{"city":'),))
        yield Delta(tool_calls=(ToolCallDelta(0, arguments='"Paris"}'),))
        usage = TokenUsage(input=5, output=2)
        yield Delta(finish_reason=FinishReason.TOOL_CALLS, usage=usage)
        return
    said = words[: request.max_tokens]
    for place, word in enumerate(said):
        yield _turn
        yield Delta(text=word if place == 0 else f" {word}")
    reason = FinishReason.STOP if said == words else FinishReason.LENGTH
    yield Delta(finish_reason=reason, usage=TokenUsage(input=len(words), output=len(said)))


async def _turn() -> None:
    """Let others run, as a network does."""
    await asyncio.sleep(0)


class Obedient(MemoryChatModel):
    """Has no fault."""

    def __init__(self) -> None:
        super().__init__(obedient)

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Let subclasses change what is said."""
        async for delta in super().stream(request):
            yield delta

    async def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncGenerator[Delta, None]:
        async for delta in self.deltas(request):
            yield delta


class Endless(Obedient):
    """Never says why it ended."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        async for delta in super().deltas(request):
            yield attrs.evolve(delta, finish_reason=None)


class EndsTwice(Obedient):
    """Gives two finish reasons."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        async for delta in super().deltas(request):
            if delta.finish_reason:
                yield Delta(finish_reason=delta.finish_reason)
            yield delta


class EarlyUsage(Obedient):
    """Reports its usage with every delta."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        async for delta in super().deltas(request):
            yield attrs.evolve(delta, usage=TokenUsage(input=1, output=1))


class TotalsAsPools(Obedient):
    """Counts what was written beyond what was allowed: a pool that holds another."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        async for delta in super().deltas(request):
            usage = delta.usage and attrs.evolve(delta.usage, output=request.max_tokens + 1)
            yield attrs.evolve(delta, usage=usage)


class Talkative(Obedient):
    """Ignores max_tokens."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        async for delta in super().deltas(attrs.evolve(request, max_tokens=10_000)):
            yield delta


class Silent(Obedient):
    """Says nothing."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        async for delta in super().deltas(request):
            yield attrs.evolve(delta, text="")


class LosesPieces(Obedient):
    """Keeps the first piece of a tool call only."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        begun = False
        async for delta in super().deltas(request):
            if not (delta.tool_calls and begun):
                yield delta
            begun = begun or bool(delta.tool_calls)


class CountsFromOne(Obedient):
    """Numbers tool calls from 1."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        async for delta in super().deltas(request):
            calls = tuple(attrs.evolve(piece, index=piece.index + 1) for piece in delta.tool_calls)
            yield attrs.evolve(delta, tool_calls=calls)


class Prosaic(Obedient):
    """Answers in prose where JSON was asked for."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        async for delta in super().deltas(attrs.evolve(request, response_format="text")):
            yield delta


class KnowsEveryModel(Obedient):
    """Answers in the place of a model that does not exist."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        async for delta in super().deltas(attrs.evolve(request, model="obedient")):
            yield delta


class RaisesAnything(Obedient):
    """Lets an error of its own out."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        try:
            async for delta in super().deltas(request):
                yield delta
        except NotFound as error:
            raise KeyError(request.model) from error


class SwallowsCancellation(Obedient):
    """Takes a cancelled call for a failure of the provider."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        try:
            async for delta in super().deltas(request):
                yield delta
        except asyncio.CancelledError as error:
            raise Unavailable("cancelled", port="chat_model", adapter="broken") from error


class KeepsItsPlace(Obedient):
    """Does not give its one place back when a stream is closed or cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self._places = asyncio.Semaphore(3)

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        await self._places.acquire()
        async for delta in super().deltas(request):
            yield delta
        self._places.release()


class TimesTheWholeStream(Obedient):
    """Holds a timeout across its deltas: it belongs to the task that read the first one."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        with anyio.fail_after(60):
            async for delta in super().deltas(request):
                yield delta


class SharesItsAnswer(Obedient):
    """Keeps the question in the adapter: of concurrent calls, all answer the last."""

    def __init__(self) -> None:
        super().__init__()
        self._request: ChatRequest | None = None

    async def complete(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> Completion:
        self._request = request
        await asyncio.sleep(0.01)
        return await super().complete(self._request)


class SharedByAll(Obedient):
    """Keeps the question in the class: two instances answer the last question of either."""

    request: ChatRequest | None = None

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        SharedByAll.request = request
        yield Delta(model="broken")
        await _turn()
        async for delta in super().deltas(SharedByAll.request):
            yield delta


class CannotBeClosed(Obedient):
    """Returns an iterator that has no aclose()."""

    def stream(  # type: ignore[override]
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncIterator[Delta]:
        return _Bare(super().stream(request))


class _Bare:
    def __init__(self, deltas: AsyncIterator[Delta]) -> None:
        self._deltas = deltas

    def __aiter__(self) -> "_Bare":
        return self

    async def __anext__(self) -> Delta:
        return await anext(self._deltas)


class ChangesTheRequest(Obedient):
    """Takes what it needs out of the request."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        if isinstance(request.extra, dict):
            request.extra.clear()
        async for delta in super().deltas(request):
            yield delta


class DeafToSystem(Obedient):
    """Cannot take a system message."""

    async def deltas(self, request: ChatRequest) -> AsyncIterator[Delta]:
        if request.messages[0].role is Role.SYSTEM:
            raise Unavailable("no system messages", port="chat_model", adapter="broken")
        async for delta in super().deltas(request):
            yield delta
