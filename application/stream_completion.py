"""Complete a chat in pieces."""

import asyncio
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import timedelta
from types import AsyncGeneratorType, TracebackType
from typing import Self, Unpack, cast

from attrs import define, evolve, field, frozen

from tollkeeper.application.answers import Answers
from tollkeeper.application.asking import Asking
from tollkeeper.application.chat_attempts import check_format
from tollkeeper.application.chat_call import AdmittedChat, ChatCall
from tollkeeper.application.chat_calls import ChatCalls
from tollkeeper.application.chat_options import ChatOptions
from tollkeeper.application.flights import Lead, Wait
from tollkeeper.application.live_stream import LiveStream, StreamedCall
from tollkeeper.application.response_cache import ResponseCache
from tollkeeper.domain.completion_builder import as_deltas
from tollkeeper.domain.completions import Completion, Delta, Receipt
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

    # These must not know this object: a stream that nobody holds any more is closed, and
    # charged, at once.
    _deltas: AsyncGenerator[Delta, None]
    _live: LiveStream
    _wait: Wait

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
            if self._live.ended is not None:
                self._wait.end(self._live.ended)
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

        With ``response_ttl``, streams that ask the same at the same time wait for the first, and
        get what it kept.

        Raises (while iterating):
            DomainError: it is not allowed, not affordable or malformed; no call was made.
            PortError: the provider failed, or fell silent; ``stream.partial``, and the error's
                ``partial``, have what came.
            CorruptResponse: the answer is whole and charged, and not of the form asked for.
        """
        live, wait = LiveStream(), Wait()
        self._live.add(live)
        deltas = self._deltas(live, wait, principal, model, messages, options)
        return CompletionStream(deltas, live, wait)

    async def close_all(self) -> None:
        """End the streams that are open, charging what came so far, and all waits for answers."""
        self.responses.flights.close()
        await asyncio.gather(*(live.stop() for live in self._live), return_exceptions=True)

    async def _deltas(
        self,
        live: LiveStream,
        wait: Wait,
        principal: Principal,
        model: str,
        messages: Sequence[Message],
        options: ChatOptions,
    ) -> AsyncGenerator[Delta, None]:
        admitted = await self.chat_calls.admit(principal, model, messages, options)
        name = self.responses.name_of(admitted)
        call, lead = await self._begun(live, wait, admitted, name)
        if isinstance(call, Completion):
            live.given = call
            for delta in as_deltas(call):
                yield delta
            check_format(admitted.request, call, self.chat_calls.schema_validator)
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
                lead.handed_out()
                yield delta
                lead.came_back()
            await live.settle()
            check_format(call.request, live.partial, calls.schema_validator)
            if live.partial.receipt and live.partial.receipt.model == admitted.admission.model:
                await self.responses.keep(name, live.partial)
        except Exception as error:
            fault = error
            raise
        finally:
            # The answer is kept, or never will be: nobody need wait until this one is charged.
            lead.end()
            try:
                await live.settle()
            finally:
                if isinstance(fault, PortError):
                    fault.partial = live.partial
                    fault.attempts = call.attempts
                self._tell(live, call, model, clock.monotonic() - began, fault)

    async def _begun(
        self, live: LiveStream, wait: Wait, admitted: AdmittedChat, name: str | None
    ) -> tuple[ChatCall | Completion, Lead]:
        """Return the call that is to be made, and the lead; or an answer that was kept."""
        deadline = asyncio.get_running_loop().time() + admitted.timeout.total_seconds()
        kept = await self.responses.kept(name)
        lead = await self.responses.lead(
            name if kept is None else None, admitted, deadline=deadline, wait=wait
        )
        try:
            if kept is None:
                kept = await self.responses.kept(name)
            if live.ended is not None:
                raise live.ended
            if kept is not None:
                lead.end()
                return await self.responses.given_again(kept, admitted), lead
            if lead.waited:
                left = deadline - asyncio.get_running_loop().time()
                admitted = evolve(admitted, timeout=timedelta(seconds=max(left, 0.001)))
            return await self.chat_calls.begin_or_replay(admitted, self.answers), lead
        except BaseException:
            lead.end()
            raise

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
