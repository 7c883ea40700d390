"""Finishing what has begun, even when the caller is cancelled."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio

T = TypeVar("T")
_TRIES = 3


async def shielded(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run *work* to its end; a cancellation that comes meanwhile is raised after it.

    *work* must be idempotent, and bounded in time by itself: it runs in the caller's own task,
    since hardly any call is cancelled, and is begun again where a cancellation cut it off. Then
    both kinds of cancellation are held off: asyncio's (``task.cancel()``) and that of an anyio
    scope (such as a web framework's on a disconnect), which knocks again and again. So is that of
    every task at once, as by ``asyncio.run`` at its end.
    """
    try:
        return await work()
    except asyncio.CancelledError as error:
        cancelled = error
    task = asyncio.ensure_future(work())
    with anyio.CancelScope(shield=True):
        for tries_left in range(_TRIES - 1, -1, -1):
            while not task.done():
                try:
                    await asyncio.shield(task)
                except asyncio.CancelledError as error:
                    cancelled = error
                except BaseException:  # the work's own failure, which is raised below
                    break
            if not (task.cancelled() and tries_left):
                break
            task = asyncio.ensure_future(work())
    if task.cancelled() or task.exception() is None:
        raise cancelled
    raise cancelled from task.exception()
