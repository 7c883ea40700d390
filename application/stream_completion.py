"""Complete a chat in pieces."""

import asyncio
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from types import AsyncGeneratorType, TracebackType
from typing import Self, Unpack, cast

from attrs import define, evolve, field, frozen

from tollkeeper.application.answers import Answers
from tollkeeper.application.chat_call import ChatCall, ChatCalls, ChatOptions, measured
from tollkeeper.application.shielded import shielded
from tollkeeper.domain.chat import Message
from tollkeeper.domain.completions import (
    Completion,
    CompletionBuilder,
    Delta,
    Receipt,
    as_deltas,
)
from tollkeeper.domain.errors import Timeout
from tollkeeper.domain.principals import Principal
from tollkeeper.ports.telemetry import Telemetry


@define
class _Progress:
    """What came so far. Shared by the stream and its generator, which must not know each other:
    a stream that nobody holds any more is closed, and charged, at once."""

    builder: CompletionBuilder = field(factory=CompletionBuilder)
    first_after: float = 0.0
    """Seconds from the call to the first piece."""
    receipt: Receipt | None = None


@define(eq=False)
class CompletionStream:
    """The pieces of an answer, once: ``async for delta in stream``.

    Leaving early (``break``, ``aclose()``, cancellation, the end of an ``async with``) closes the
    connection to the provider and charges what came so far. ``aclose()`` or ``async with`` does
    it at a time that you know; a stream that is merely dropped is closed when Python finds it.
    """

    _deltas: AsyncGenerator[Delta, None]
    _progress: _Progress

    def __aiter__(self) -> AsyncIterator[Delta]:
        return self

    async def __anext__(self) -> Delta:
        return await anext(self._deltas)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the stream; what came so far is charged, and :attr:`receipt` says how much."""
        await self._deltas.aclose()

    @property
    def partial(self) -> Completion:
        """What came so far, with the receipt once it is charged."""
        return evolve(self._progress.builder.build(), receipt=self._progress.receipt)

    @property
    def receipt(self) -> Receipt | None:
        """What was charged; None until the stream has ended, or if nothing was."""
        return self._progress.receipt

    async def completion(self) -> Completion:
        """Read on to the end and return the whole answer."""
        async for _ in self._deltas:
            pass
        return self.partial


@frozen
class StreamCompletion:
    """Ask a model for an answer in pieces, and charge what came."""

    chat_calls: ChatCalls
    answers: Answers
    telemetry: Telemetry
    _live: "weakref.WeakSet[AsyncGeneratorType[Delta, None]]" = field(
        factory=weakref.WeakSet, init=False, repr=False, eq=False
    )

    def __call__(
        self,
        principal: Principal,
        *,
        model: str,
        messages: Sequence[Message],
        **options: Unpack[ChatOptions],
    ) -> CompletionStream:
        """Return the stream; the call is made when its first piece is asked for.

        What breaks before the first piece is not charged; later, what came so far is.

        Raises (while iterating):
            DomainError: it is not allowed, not affordable or malformed; no call was made.
            PortError: the provider failed, or fell silent; ``stream.partial`` has what came.
        """
        progress = _Progress()
        deltas = self._deltas(progress, principal, model, messages, options)
        self._live.add(cast(AsyncGeneratorType[Delta, None], deltas))
        return CompletionStream(deltas, progress)

    async def close_all(self) -> None:
        """End the streams that are open, charging what came so far."""
        for deltas in list(self._live):
            if not deltas.ag_running:
                await deltas.aclose()

    async def _deltas(
        self,
        progress: _Progress,
        principal: Principal,
        model: str,
        messages: Sequence[Message],
        options: ChatOptions,
    ) -> AsyncGenerator[Delta, None]:
        call = await self.chat_calls.begin(principal, model, messages, options)
        if call.metered.replayed:
            answer = await self.answers.completion(call.metered)
            progress.receipt = answer.receipt
            for delta in as_deltas(answer):
                progress.builder.add(delta)
                yield delta
            return
        clock = self.chat_calls.metered_calls.clock
        began = clock.monotonic()
        started = False
        upstream = call.chat_model.stream(call.request)
        deadline = asyncio.get_running_loop().time() + call.timeout.total_seconds()
        try:
            while True:
                try:
                    # A timeout is opened for each piece: the next one may be asked for by
                    # another task, and a scope must not outlive the task that opened it.
                    async with asyncio.timeout_at(deadline):
                        delta = await anext(upstream)
                except StopAsyncIteration:
                    break
                if not started:
                    started = True
                    progress.first_after = clock.monotonic() - began
                progress.builder.add(delta)
                yield delta
        except TimeoutError as error:
            provider = model.partition("/")[0]
            raise Timeout(
                f"{provider} did not finish within {call.timeout.total_seconds():g} s",
                port="chat_model",
                adapter=provider,
                ambiguous=True,
            ) from error
        finally:
            settling = self._settle(call, progress, upstream, model, began, started=started)
            await shielded(settling)

    async def _settle(
        self,
        call: ChatCall,
        progress: _Progress,
        upstream: AsyncIterator[Delta],
        model: str,
        began: float,
        *,
        started: bool,
    ) -> None:
        """Close the connection and charge what came, whatever ended the stream."""
        # The span covers the settling alone, since none may stay open while the caller has a
        # piece in hand; how long the stream took is an attribute.
        attributes = {"gen_ai.request.model": model, "tollkeeper.call_id": call.metered.hold.id}
        with self.telemetry.span("stream_completion", attributes) as span:
            lasted = self.chat_calls.metered_calls.clock.monotonic() - began
            span.set("tollkeeper.stream_seconds", lasted)
            span.set("gen_ai.response.time_to_first_chunk", progress.first_after)
            try:
                if isinstance(upstream, AsyncGenerator):
                    await upstream.aclose()
            finally:
                if started:
                    answer = progress.builder.build()
                    usage, provenance = measured(call.request, answer)
                    progress.builder.usage = usage
                    progress.receipt = await call.metered.capture(usage.quantities(), provenance)
                    span.set("tollkeeper.charged_nanos", progress.receipt.charged.nanos)
                    if call.keep_answer and answer.finish_reason is not None:
                        kept = evolve(answer, usage=usage, receipt=progress.receipt)
                        await self.answers.keep(call.metered, kept)
                else:
                    await call.metered.release()
