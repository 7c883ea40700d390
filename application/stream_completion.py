"""Complete a chat in pieces."""

import asyncio
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import timedelta
from types import AsyncGeneratorType, TracebackType
from typing import Self, Unpack, cast

from attrs import define, field, frozen

from tollkeeper.application.answers import Answers
from tollkeeper.application.asking import Asking
from tollkeeper.application.chat_attempts import check_format
from tollkeeper.application.chat_call import ChatCall
from tollkeeper.application.chat_calls import ChatCalls
from tollkeeper.application.chat_options import ChatOptions
from tollkeeper.application.live_stream import LiveStream, StreamedCall
from tollkeeper.application.response_cache import ResponseCache
from tollkeeper.domain.completions import (
    Completion,
    Delta,
    Receipt,
    as_deltas,
)
from tollkeeper.domain.errors import PortError
from tollkeeper.domain.messages import Message
from tollkeeper.domain.principals import Principal
from tollkeeper.ports.telemetry import Telemetry


@define(eq=False)
class CompletionStream:
    """The pieces of an answer, once: ``async for delta in stream``.

    Leaving early (``break``, ``aclose()``, cancellation, the end of an ``async with``) closes the
    connection to the provider and charges what came so far. ``aclose()`` or ``async with`` does
    it at a time that you know; a stream that is merely dropped is closed when Python finds it.
    """

    # The two must not know this object: a stream that nobody holds any more is closed, and
    # charged, at once.
    _deltas: AsyncGenerator[Delta, None]
    _live: LiveStream

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
        """End the stream; what came so far is charged, and :attr:`receipt` says how much.

        Another task that is reading gets a Conflict (code ``stream_closed``).
        """
        if cast(AsyncGeneratorType[Delta, None], self._deltas).ag_running:
            await self._live.stop()
        else:
            await self._deltas.aclose()

    @property
    def partial(self) -> Completion:
        """What came so far, with the receipt once it is charged."""
        return self._live.partial

    @property
    def receipt(self) -> Receipt | None:
        """What was charged; None until the stream has ended, or if nothing was."""
        return self._live.partial.receipt

    @property
    def first_after(self) -> timedelta | None:
        """How long the first piece took; None before it."""
        return self._live.partial.first_after

    async def completion(self) -> Completion:
        """Read on to the end and return the whole answer."""
        async for _ in self._deltas:
            pass
        return self.partial


@frozen
class StreamCompletion:
    """Ask a model for an answer in pieces, and charge what came."""

    chat_calls: ChatCalls
    asking: Asking
    answers: Answers
    responses: ResponseCache
    telemetry: Telemetry
    _live: "weakref.WeakSet[LiveStream]" = field(
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

        What fails before the first piece is tried again, and then asked of the fallbacks, as the
        settings say; it is not charged. What breaks later is charged as far as it came. The last
        piece says the usage, and whether it is the provider's or an estimate.

        Raises (while iterating):
            DomainError: it is not allowed, not affordable or malformed; no call was made.
            PortError: the provider failed, or fell silent; ``stream.partial``, and the error's
                ``partial``, have what came.
            CorruptResponse: the answer is whole and charged, and not of the form asked for.
        """
        live = LiveStream()
        self._live.add(live)
        return CompletionStream(self._deltas(live, principal, model, messages, options), live)

    async def close_all(self) -> None:
        """End the streams that are open, charging what came so far."""
        await asyncio.gather(*(live.stop() for live in self._live), return_exceptions=True)

    async def _deltas(
        self,
        live: LiveStream,
        principal: Principal,
        model: str,
        messages: Sequence[Message],
        options: ChatOptions,
    ) -> AsyncGenerator[Delta, None]:
        admitted = await self.chat_calls.admit(principal, model, messages, options)
        name = self.responses.name_of(admitted)
        kept = await self.responses.kept(name)
        call = None
        if kept is not None:
            kept = await self.responses.given_again(kept, admitted)
        else:
            call = await self.chat_calls.begin(admitted)
            if call.metered.replayed:
                kept = await self.answers.completion(call.metered)
        if kept is not None or call is None:
            assert kept is not None
            live.given = kept
            for delta in as_deltas(kept):
                yield delta
            check_format(admitted.request, kept, self.chat_calls.schema_validator)
            return
        calls = self.chat_calls
        clock = calls.metered_calls.clock
        began = clock.monotonic()
        live.begin(StreamedCall(call, self.asking, self.answers))
        fault: Exception | None = None
        try:
            while True:
                try:
                    delta = await live.next()
                except StopAsyncIteration:
                    break
                yield delta
            await live.settle()
            check_format(call.request, live.partial, calls.schema_validator)
            if live.partial.receipt and live.partial.receipt.model == admitted.admission.model:
                await self.responses.keep(name, live.partial)
        except Exception as error:
            fault = error
            raise
        finally:
            try:
                await live.settle()
            finally:
                if isinstance(fault, PortError):
                    fault.partial = live.partial
                    fault.attempts = call.attempts
                self._tell(live, call, model, clock.monotonic() - began, fault)

    def _tell(
        self,
        live: LiveStream,
        call: ChatCall,
        model: str,
        lasted: float,
        fault: Exception | None,
    ) -> None:
        """Tell telemetry of a stream that is over.

        The span is opened afterwards, since none may stay open while the caller has a piece in
        hand; how long the stream took is an attribute.
        """
        attributes = {"gen_ai.request.model": model, "tollkeeper.call_id": call.metered.hold.id}
        with self.telemetry.span("stream_completion", attributes) as span:
            span.set("tollkeeper.stream_seconds", lasted)
            span.set("gen_ai.response.time_to_first_chunk", live.first_after)
            if live.receipt is not None:
                span.set("tollkeeper.charged_nanos", live.receipt.charged.nanos)
            if fault is not None:
                span.set("error.type", type(fault).__name__)
