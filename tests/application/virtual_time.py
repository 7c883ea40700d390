"""An event loop that skips the time in which nothing happens, and a clock that is bound to it.

Nothing waits and nothing is random, so a run of one script is the same each time.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_START = datetime(2026, 1, 1, 12, tzinfo=UTC)
_LONGEST_REAL_WAIT = 5.0


class _JumpingSelector(selectors.DefaultSelector):
    """Moves the loop's clock on by what it is asked to wait, and waits for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready: list[Any] = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            # No timer is set: only another thread can wake the loop.
            ready = super().select(_LONGEST_REAL_WAIT)
            if not ready:
                raise RuntimeError("the loop would wait for ever: nothing is due, nothing comes")
            return ready
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that skips the time in which nothing would happen."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class LoopClock:
    """Tells the time of the loop that it is asked in."""

    def now(self) -> datetime:
        return _START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run *work* in a virtual loop of its own; no task of it may be left over."""

    async def checked() -> T:
        result = await work()
        await asyncio.sleep(0)  # callbacks of what has just ended
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks are left over: {left}"
        return result

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(checked())


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make a test that runs in a virtual loop of its own."""

    @wraps(test)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        run(lambda: test(*args, **kwargs))

    return wrapped
