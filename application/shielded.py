"""Finishing what has begun, even when the caller is cancelled."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio

T = TypeVar("T")
_TRIES = 3


async def shielded(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run *work* to its end; a cancellation that comes meanwhile is raised after it.

    Both kinds of cancellation are held off: asyncio's (``task.cancel()``) and that of an anyio
    scope (such as a web framework's on a disconnect), which knocks again and again. Where every
    task is cancelled, as ``asyncio.run`` does at its end, the work is begun again: it must be
    idempotent, and bounded in time by itself.
    """
    cancelled: asyncio.CancelledError | None = None
    for _ in range(_TRIES):
        task = asyncio.ensure_future(work())
        with anyio.CancelScope(shield=True):
            while not task.done():
                try:
                    await asyncio.shield(task)
                except asyncio.CancelledError as error:
                    cancelled = error
                except BaseException:  # the work's own failure: task.result() raises it below
                    break
        if not task.cancelled():
            break
    if cancelled is not None and not task.cancelled():
        if task.exception() is None:
            raise cancelled
        raise cancelled from task.exception()
    return task.result()
