"""A stream that is under way: it ends once, whoever ends it, and is charged for what came."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from attrs import define, evolve, field

from tollkeeper.application.answers import Answers
from tollkeeper.application.chat_call import ChatCall, measured
from tollkeeper.application.shielded import shielded
from tollkeeper.domain.completions import Completion, CompletionBuilder, Delta, Receipt
from tollkeeper.domain.errors import Conflict, PortError, Timeout, TollkeeperError

_LONGEST_CLOSE = 5.0
"""Seconds that closing the connection to the provider may take."""
_LONGEST_STOP_IN_MILLISECONDS = 10_000
"""How long a reader may take to notice that its stream is stopped."""


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
    _call: ChatCall | None = None
    _answers: Answers | None = None
    _upstream: AsyncIterator[Delta] | None = None
    _reading: asyncio.Timeout | None = None
    _started: bool = False
    _began: float = 0.0
    _timer: asyncio.TimerHandle | None = None
    _settling: "asyncio.Task[None] | None" = None
    _settled: bool = False

    def begin(self, call: ChatCall, answers: Answers) -> None:
        """Take over *call*, whose hold is placed."""
        loop = asyncio.get_running_loop()
        self._call, self._answers = call, answers
        self._upstream = call.chat_model.stream(call.request)
        self._began = loop.time()
        self._timer = loop.call_at(self._began + call.timeout.total_seconds(), self._overdue)

    async def next(self) -> Delta:
        """Return the next piece.

        Raises:
            StopAsyncIteration: there is none.
            Timeout, Conflict: the time is up, or the stream was stopped.
            PortError: the provider failed.
        """
        if self.ended is not None:
            raise self.ended
        assert self._upstream is not None
        try:
            # Opened for each piece, without a time: the next one may be asked for by another
            # task, and a scope must not outlive the task that opened it.
            async with asyncio.timeout(None) as self._reading:
                delta = await anext(self._upstream)
        except TimeoutError as error:
            if self.ended is None:
                raise
            raise self.ended from error
        finally:
            self._reading = None
        if not self._started:
            self._started = True
            self.first_after = asyncio.get_running_loop().time() - self._began
        self.builder.add(delta)
        return delta

    def _overdue(self) -> None:
        assert self._call is not None
        seconds = self._call.timeout.total_seconds()
        error = Timeout(
            f"the answer was not complete within {seconds:g} s",
            port="chat_model",
            adapter=self._call.metered.admission.model.partition("/")[0],
            ambiguous=True,
        )
        self._end(error)

    def _end(self, error: TollkeeperError) -> None:
        """End the stream now; its reader gets *error* when it asks for the next piece."""
        if self._settled or self.ended is not None:
            return
        self.ended = error
        if self._reading is not None:
            self._reading.reschedule(asyncio.get_running_loop().time())
        else:
            self._settle_soon()

    async def stop(self) -> None:
        """End the stream from another task than its reader's, and wait until it is charged."""
        if self._call is None or self._settled:
            return
        self._end(Conflict("the stream was closed", code="stream_closed"))
        for _ in range(_LONGEST_STOP_IN_MILLISECONDS):
            if self._reading is None:
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
        call = self._call
        assert call is not None
        try:
            await _close(self._upstream)
            if not self._started:
                await call.metered.release()
                self._settled = True
                return
            answer = self.builder.build()
            usage, provenance = measured(call.request, answer)
            self.builder.usage = usage
            try:
                self.receipt = await call.metered.capture(usage.quantities(), provenance)
            except PortError:
                # The answer was delivered, so the charge must not be lost.
                call.metered.owe(usage.quantities(), provenance)
                raise
            if call.keep_answer and answer.finish_reason is not None and self._answers is not None:
                kept = evolve(answer, usage=usage, receipt=self.receipt)
                await self._answers.keep(call.metered, kept)
        except asyncio.CancelledError:
            raise  # it is begun again
        except BaseException:
            self._settled = True
            raise
        self._settled = True

    @property
    def partial(self) -> Completion:
        """What came so far, with the receipt once it is charged."""
        return evolve(self.builder.build(), receipt=self.receipt)


async def _close(upstream: AsyncIterator[Delta] | None) -> None:
    aclose: Any = getattr(upstream, "aclose", None)
    if aclose is None:
        return
    # What an adapter says while it is being closed is no news any more; the charge matters.
    with suppress(Exception):
        async with asyncio.timeout(_LONGEST_CLOSE):
            await aclose()
