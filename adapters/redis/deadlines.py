"""Deadlines of many operations at little cost: one timer waits for the first of them.

``asyncio.timeout`` makes, sorts and drops a timer for each operation, which costs a fifth of a GET.
Here nearly all are of one length, so that they end in the order in which they begin.
"""

import asyncio
from collections import deque
from types import TracebackType


class Deadline:
    """One operation's: a block that raises TimeoutError when its time is over.

    It does what ``asyncio.timeout`` does: a cancellation from outside stays one.
    """

    __slots__ = ("_all", "_cancelling", "expired", "task", "when")

    def __init__(self, deadlines: "Deadlines", when: float) -> None:
        self._all = deadlines
        self.when = when
        self.expired = False
        self.task: asyncio.Task[object] | None = None

    def __enter__(self) -> "Deadline":
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline is for a task")
        self.task = task
        self._cancelling = task.cancelling()
        self._all.begin(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task, self.task = self.task, None
        if not self.expired:
            self._all.tidy()
        elif task and task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error


class Deadlines:
    """The deadlines of one event loop, by its clock."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running: deque[Deadline] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def at(self, when: float) -> Deadline:
        """Make a deadline at *when*."""
        return Deadline(self, when)

    def begin(self, deadline: Deadline) -> None:
        """Watch over *deadline*; it costs least where it is the last of all."""
        running = self._running
        place = len(running)
        while place and running[place - 1].when > deadline.when:
            place -= 1
        running.insert(place, deadline)
        if self._timer is None or deadline.when < self._timer.when():
            self._wait_for(deadline)

    def tidy(self) -> None:
        """Forget the oldest ones that ended in time."""
        running = self._running
        while running and running[0].task is None:
            running.popleft()

    def close(self) -> None:
        """Drop the timer: nothing is under way any longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait_for(self, deadline: Deadline) -> None:
        self.close()
        self._timer = self._loop.call_at(deadline.when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._loop.time()
        running = self._running
        while running and (running[0].task is None or running[0].when <= now):
            over = running.popleft()
            if over.task is not None:
                over.expired = True
                over.task.cancel()
        if running:
            self._wait_for(running[0])
