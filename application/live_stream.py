"""A stream that is under way: it ends once, whoever ends it, and is charged for what came."""

import asyncio
from datetime import timedelta

from attrs import define, evolve, field

from tollkeeper.application.answers import Answers
from tollkeeper.application.asking import Asking
from tollkeeper.application.chat_attempts import OpenStream, StreamedAnswer
from tollkeeper.application.chat_call import ChatCall, measured
from tollkeeper.application.frames import without_frames
from tollkeeper.application.live_attempt import LiveAttempt
from tollkeeper.application.shielded import shielded
from tollkeeper.domain.completion_builder import CompletionBuilder
from tollkeeper.domain.completions import Completion, Delta, Receipt
from tollkeeper.domain.errors import (
    Conflict,
    CorruptResponse,
    PortError,
    Timeout,
    TollkeeperError,
)
from tollkeeper.domain.meters import Provenance
from tollkeeper.ports.chat_model import ChatModel

_LONGEST_STOP_IN_MILLISECONDS = 10_000
"""How long a reader may take to notice that its stream is stopped."""


@define(eq=False)
class StreamedCall:
    """A stream that may now be opened: the call, and what it takes to make it."""

    call: ChatCall
    asking: Asking
    answers: Answers


@define(eq=False)
class LiveStream:
    """What came so far, and the one way to end.

    The reader ends it by reading on or leaving, the clock at the deadline (even while the reader
    has a piece in hand and asks for no other), another task by :meth:`stop`.
    """

    builder: CompletionBuilder = field(factory=CompletionBuilder)
    receipt: Receipt | None = None
    first_after: float = 0.0
    """Seconds from the call to the first piece."""
    ended: TollkeeperError | None = None
    """What ended the stream, if it was neither its end nor its reader."""
    given: Completion | None = None
    """A kept answer that is given again; then nothing is asked."""
    _work: StreamedCall | None = None
    _open: OpenStream | None = None
    _attempt: LiveAttempt[ChatModel] | None = None
    _waiting: list[Delta] = field(factory=list)
    _complete: bool = False
    _reader: "asyncio.Task[object] | None" = None
    """Who waits for the next piece."""
    _interrupted: bool = False
    """Whether the reader was cancelled by us, to be told what ended the stream."""
    _began: float = 0.0
    _deadline: float = 0.0
    _timer: asyncio.TimerHandle | None = None
    _settling: "asyncio.Task[None] | None" = None
    _settled: bool = False

    def begin(self, work: StreamedCall) -> None:
        """Take over a call whose hold is placed."""
        loop = asyncio.get_running_loop()
        self._work, self._began = work, loop.time()
        self._deadline = self._began + work.call.admitted.timeout.total_seconds()
        self._timer = loop.call_at(self._deadline, self._overdue)

    async def next(self) -> Delta:
        """Return the next piece; the last one says the usage.

        Raises:
            StopAsyncIteration: there is none.
            Timeout, Conflict: the time is up, or the stream was stopped.
            PortError: the provider failed.
        """
        if self.ended is not None:
            raise self.ended
        # Noted for each piece, since the next one may be asked for by another task.
        reader = self._reader = asyncio.current_task()
        assert reader is not None
        cancelling = reader.cancelling()
        try:
            delta = await self._next()
        except asyncio.CancelledError as error:
            if self._interrupted:
                self._interrupted = False
                # Ours alone is taken back; who else cancelled the reader means the reader.
                if reader.uncancel() <= cancelling and self.ended is not None:
                    raise self.ended from without_frames(error)
            raise
        except TollkeeperError as error:
            if self._attempt is not None:
                self._attempt.failed(error, self.builder.build())
            raise
        except Exception as error:
            if self._attempt is not None and not isinstance(error, StopAsyncIteration):
                self._attempt.crashed(self.builder.build())
            raise
        finally:
            self._reader = None
            if self._interrupted:  # and it came to something else at the same moment
                self._interrupted = False
                reader.uncancel()
        self.builder.add(delta)
        return delta

    async def _next(self) -> Delta:
        work = self._work
        assert work is not None
        if self._attempt is None:
            asked = work.call.asked(deadline=self._deadline)
            opened, self._attempt = await work.asking.first(asked, StreamedAnswer(work.call))
            self._open, self._waiting = opened, opened.begun
            self.first_after = asyncio.get_running_loop().time() - self._began
        if self._waiting:
            delta = self._waiting.pop(0)
        elif self._complete:
            raise StopAsyncIteration
        else:
            assert self._open is not None
            try:
                delta = await anext(self._open.upstream)
            except StopAsyncIteration:
                return self._last(work)
        if delta.usage is not None:
            delta = evolve(delta, provenance=Provenance.REPORTED)
        return delta

    def _last(self, work: StreamedCall) -> Delta:
        """The provider is done: say how much it was, if it did not."""
        answer = self.builder.build()
        if answer.finish_reason is None:
            raise CorruptResponse(
                "the provider's answer ends before it is complete",
                port="chat_model",
                adapter=self._provider(work),
            )
        self._complete = True
        if answer.usage is not None:
            raise StopAsyncIteration
        usage, provenance = measured(work.call.request, answer)
        return Delta(usage=usage, provenance=provenance)

    def _overdue(self) -> None:
        assert self._work is not None
        admitted = self._work.call.admitted
        error = Timeout(
            f"the answer was not complete within {admitted.timeout.total_seconds():g} s",
            port="chat_model",
            adapter=self._provider(self._work),
            ambiguous=True,
        )
        self._end(error)

    def _provider(self, work: StreamedCall) -> str:
        """Name who answers, or was to."""
        attempt = self._attempt
        return (work.call.admitted.choices[0] if attempt is None else attempt).route.provider

    def _end(self, error: TollkeeperError) -> None:
        """End the stream now; its reader gets *error* when it asks for the next piece."""
        if self._settled or self.ended is not None:
            return
        self.ended = error
        if self._reader is not None:
            self._interrupted = True
            self._reader.cancel()
        else:
            self._settle_soon()

    async def stop(self) -> None:
        """End the stream from another task than its reader's, and wait until it is charged."""
        closed = Conflict("the stream was closed", code="stream_closed")
        if self._work is None or self._settled:
            self.ended = self.ended or closed  # its hold may be about to be placed
            return
        self._end(closed)
        for _ in range(_LONGEST_STOP_IN_MILLISECONDS):
            if self._reader is None:
                await self.settle()
                return
            await asyncio.sleep(0.001)

    def _settle_soon(self) -> "asyncio.Task[None]":
        if self._settling is None or self._settling.cancelled():
            self._settling = asyncio.ensure_future(self._settle())
        return self._settling

    async def settle(self) -> None:
        """Close the connection and charge what came, once, whatever ended the stream.

        Raises:
            PortError: the ledger could not be reached.
        """
        if self._timer is not None:
            self._timer.cancel()
        await shielded(self._wait_for_settling)

    async def _wait_for_settling(self) -> None:
        await self._settle_soon()

    async def _settle(self) -> None:
        work, attempt = self._work, self._attempt
        assert work is not None
        try:
            if self._open is not None:
                await self._open.close()
            if attempt is None:
                await work.call.metered.release()
            else:
                await self._charge(work, attempt)
        except asyncio.CancelledError:
            raise  # it is begun again
        except BaseException:
            self._settled = True
            raise
        self._settled = True

    async def _charge(self, work: StreamedCall, attempt: LiveAttempt[ChatModel]) -> None:
        """Charge what came, and end the record of the attempt."""
        metered, answer = work.call.metered, self.builder.build()
        if self._complete:
            attempt.answered(answer)
        elif isinstance(self.ended, Timeout):
            attempt.failed(self.ended, answer)
        else:
            attempt.abandoned(answer)
        usage, provenance = measured(work.call.request, answer)
        self.builder.usage, self.builder.provenance = usage, provenance
        metered.served_by, metered.attempt = attempt.admission, attempt.number
        try:
            self.receipt = await metered.capture(usage.quantities(), provenance)
        except PortError:
            # The answer was delivered, so the charge must not be lost.
            metered.owe(usage.quantities(), provenance)
            raise
        if answer.finish_reason is not None and work.call.keep_answer:
            await work.answers.keep(metered, self.partial)

    @property
    def partial(self) -> Completion:
        """What came so far, with all that is known of it, and the receipt once it is charged."""
        if self.given is not None:
            return self.given
        work, attempt = self._work, self._attempt
        return evolve(
            self.builder.build(),
            receipt=self.receipt,
            provider="" if attempt is None else attempt.route.provider,
            attempts=() if work is None else work.call.attempts,
            first_after=None if attempt is None else timedelta(seconds=self.first_after),
        )
