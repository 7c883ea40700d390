"""Finishing what has begun, even when the caller is cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

import anyio

T = TypeVar("T")


async def shielded(work: Coroutine[object, object, T]) -> T:
    """Run *work* to its end; a cancellation that comes meanwhile is raised after it.

    Both kinds of cancellation are held off: asyncio's (``task.cancel()``) and that of an anyio
    scope (such as a web framework's on a disconnect), which knocks again and again. *work* must
    be bounded in time by itself.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError as error:
                cancelled = error
            except BaseException:  # the work's own failure: task.result() raises it below
                break
    if cancelled is not None and not task.cancelled():
        if task.exception() is None:
            raise cancelled
        raise cancelled from task.exception()
    return task.result()
