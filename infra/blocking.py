"""Calling an event loop of another thread, and waiting for what it says."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Generic, ParamSpec, TypeVar, TypeVarTuple, Unpack

from anyio.from_thread import BlockingPortal

from tollkeeper.domain.errors import Conflict

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Loop:
    """The event loop's thread, until the facade is closed."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal
        self.closed = False

    def check_open(self) -> None:
        """Check that the facade is open.

        Raises:
            Conflict: it is closed (code ``facade_closed``).
        """
        if self.closed:
            raise Conflict("this facade is closed; open another one", code="facade_closed")

    def call(self, work: Callable[[Unpack[Ts]], Awaitable[T]], *args: *Ts) -> T:
        """Run *work* in the loop and block until it is done."""
        self.check_open()
        try:
            running = self._portal.start_task_soon(work, *args)
        except RuntimeError:
            self.check_open()  # another thread closed it meanwhile
            raise
        try:
            return running.result()
        except KeyboardInterrupt:
            running.cancel()  # whoever asked is gone: what goes on would be paid for in vain
            raise

    @contextmanager
    def within(self, block: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Enter *block* in the loop, and leave it when this one is left."""
        self.check_open()
        with self._portal.wrap_async_context_manager(block) as entered:
            yield entered


class Blocking(Generic[P, T]):
    """A use case that blocks the calling thread until it is done."""

    def __init__(self, loop: Loop, use_case: Callable[P, Awaitable[T]]) -> None:
        self._loop = loop
        self._use_case = use_case

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        async def run() -> T:
            return await self._use_case(*args, **kwargs)

        return self._loop.call(run)
