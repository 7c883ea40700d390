"""Asking once for many callers, by the name of what they ask for."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Ask = Callable[[], Coroutine[Any, Any, T]]


class Flights(Generic[T]):
    """What is being asked for; a caller who leaves ends nothing that others wait for."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[T]] = {}
        self._next: dict[str, asyncio.Task[T]] = {}

    async def join(self, name: str, ask: Ask[T]) -> T:
        """Return the answer of whoever asks already, else of *ask*.

        Raises:
            Cut: :meth:`close` ended it.
        """
        return await self._outcome(
            self._next.get(name) or self._running.get(name) or self._start(name, ask())
        )

    async def anew(self, name: str, ask: Ask[T]) -> T:
        """Return an answer that was asked for from now on: what runs already may be too old.

        Raises:
            Cut: :meth:`close` ended it.
        """
        task = self._next.get(name)
        if task is None:
            running = self._running.get(name)
            if running is None:
                task = self._start(name, ask())
            else:
                task = asyncio.create_task(self._after(running, name, ask))
                self._next[name] = task
        return await self._outcome(task)

    async def close(self) -> None:
        """End everything."""
        tasks = [*self._running.values(), *self._next.values()]
        self._running.clear()
        self._next.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _start(self, name: str, asking: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.create_task(asking)
        self._run(name, task)
        return task

    def _run(self, name: str, task: "asyncio.Task[T]") -> None:
        def over(ended: "asyncio.Task[T]") -> None:
            if self._running.get(name) is ended:
                del self._running[name]
            if not ended.cancelled():
                ended.exception()  # all who waited may have left

        self._running[name] = task
        task.add_done_callback(over)

    async def _after(self, running: "asyncio.Task[T]", name: str, ask: Ask[T]) -> T:
        await asyncio.wait([running])
        task = self._next.pop(name)
        self._run(name, task)
        return await ask()

    async def _outcome(self, task: "asyncio.Task[T]") -> T:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if not task.cancelled() or (caller is not None and caller.cancelling()):
                raise
        raise Cut


class Cut(Exception):
    """Another task closed the flights."""
