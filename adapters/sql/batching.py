"""Group commit: callers who wait at once share one request, and so one wait for the disk."""

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from attrs import define, field

from tollkeeper.domain.errors import ConfigurationError, PortError, Rejected, TollkeeperError

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")
LARGEST_BATCH = 128


class Faults(Protocol):
    """How an adapter words what goes wrong with a whole batch."""

    def too_late(self, *, sent: bool) -> PortError:
        """Make the answer to a caller whose time is up; what was *sent* may have been done."""

    def unanswered(self) -> PortError:
        """Make the answer where some requests got none."""


@define(eq=False)
class _Job(Generic[Ask, Answer]):
    ask: Ask
    answer: "asyncio.Future[Answer]"
    faults: Faults
    sent: bool = False

    def give_up(self) -> None:
        """The caller's time is up, whatever becomes of the change."""
        if not self.answer.done():
            self.answer.set_exception(self.faults.too_late(sent=self.sent))

    def fail(self, error: Exception) -> None:
        """Hand *error* to the caller: a copy, for a traceback belongs to one caller."""
        if not self.answer.done():
            own = copy.copy(error)
            own.__cause__ = error.__cause__
            self.answer.set_exception(own)


@define(eq=False)
class _Lane(Generic[Ask, Answer]):
    """What waits in one event loop."""

    loop: asyncio.AbstractEventLoop
    waiting: "deque[_Job[Ask, Answer]]" = field(factory=deque)
    running: "asyncio.Task[None] | None" = None


@define(eq=False)
class Grouped(Generic[Ask, Answer]):
    """Gathers what is asked while a request is under way, and sends it all in the next one.

    One request is in flight at a time. What is asked alone goes alone, by the cheaper way. A
    caller who is cancelled, or whose time is up, before the request was sent takes it back; later
    it stands, and neither the batch nor another caller's answer is touched. A batch that fails as
    a whole for what one of them says is asked again in halves, and these in theirs, until that
    one is alone: each is idempotent.

    Args:
        one: asks one.
        many: asks several in one transaction, and returns for each, in order, its answer or its
            own error.
        timeout: how long a caller waits, in seconds.
        faults: the adapter's words.
    """

    one: Callable[[Ask], Awaitable[Answer]]
    many: Callable[[Sequence[Ask]], Awaitable[Sequence[Answer | TollkeeperError]]]
    timeout: float
    faults: Faults
    requests: int = 0
    """How many requests were sent."""
    _lane: "_Lane[Ask, Answer] | None" = None

    async def ask(self, ask: Ask) -> Answer:
        """Ask, and return the answer.

        Raises:
            DomainError: this request was refused.
            PortError: the store failed.
        """
        loop = asyncio.get_running_loop()
        lane = self._lane
        if lane is None or lane.loop is not loop:
            # What waited in a loop that is gone has nobody left to be told.
            lane = self._lane = _Lane(loop)
        job: _Job[Ask, Answer] = _Job(ask, loop.create_future(), self.faults)
        lane.waiting.append(job)
        if lane.running is None:
            lane.running = loop.create_task(self._drain(lane))
        timer = loop.call_later(self.timeout, job.give_up)
        try:
            return await job.answer
        finally:
            timer.cancel()

    async def _drain(self, lane: "_Lane[Ask, Answer]") -> None:
        batch: list[_Job[Ask, Answer]] = []
        try:
            while batch := self._next(lane):
                await self._send(batch)
        finally:
            lane.running = None
            # Only a loop that is being closed cancels this task.
            for job in (*batch, *lane.waiting):
                job.give_up()
            lane.waiting.clear()

    def _next(self, lane: "_Lane[Ask, Answer]") -> "list[_Job[Ask, Answer]]":
        batch: list[_Job[Ask, Answer]] = []
        while lane.waiting and len(batch) < LARGEST_BATCH:
            job = lane.waiting.popleft()
            if not job.answer.done():
                job.sent = True
                batch.append(job)
        return batch

    async def _send(self, batch: "list[_Job[Ask, Answer]]") -> None:
        if not batch:
            return
        self.requests += 1
        try:
            answers = await self._answers(batch)
        except Exception as error:
            if len(batch) > 1 and not _is_everyones(error):
                # Whoever left meanwhile has no part in it any more.
                left = [job for job in batch if not job.answer.done()]
                await self._send(left[: len(left) // 2])
                await self._send(left[len(left) // 2 :])
                return
            for job in batch:
                job.fail(error)
            return
        for job, answer in zip(batch, answers, strict=True):
            if isinstance(answer, TollkeeperError):
                job.fail(answer)
            elif not job.answer.done():
                job.answer.set_result(answer)

    async def _answers(
        self, batch: "list[_Job[Ask, Answer]]"
    ) -> "Sequence[Answer | TollkeeperError]":
        if len(batch) == 1:
            return [await self.one(batch[0].ask)]
        answers = await self.many([job.ask for job in batch])
        if len(answers) != len(batch):
            raise self.faults.unanswered()
        return answers


def _is_everyones(error: Exception) -> bool:
    """Whether *error* says nothing about any single request: each would meet it again."""
    if isinstance(error, PortError):
        return not isinstance(error, Rejected)
    return isinstance(error, ConfigurationError)
