"""Changes that a cancelled caller does not leave half known."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from anyio import CancelScope

T = TypeVar("T")


async def settled(step: Coroutine[Any, Any, T]) -> T:
    """Run *step*, which is bounded in time, to its end; a cancelled caller hears of it after.

    Whoever looks then sees the change, or never will: a request that was cut off may be carried
    out by the server at any later moment.
    """
    task = asyncio.ensure_future(step)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        # An anyio scope knocks again and again, so it is held off as well.
        with CancelScope(shield=True):
            while not task.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise
    return task.result()
