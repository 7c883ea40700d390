"""A bound in time that costs nothing where the work does not wait."""

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


async def bounded(work: Coroutine[Any, Any, T], *, within: float) -> T:
    """Return what *work* returns; end it *within* so many seconds of when it first waits.

    A timer is set only when *work* waits for something: one that is never needed costs more than
    a step of a ledger in memory. All of *work* runs in the caller's own task.

    Raises:
        TimeoutError: it took longer.
    """
    try:
        waits_for = work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    async with asyncio.timeout(within):
        return await _rest_of(work, waits_for)


@types.coroutine
def _rest_of(work: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Go on with *work*, which has begun and waits for *waits_for*."""
    while True:
        try:
            sent = yield waits_for
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:
            try:
                waits_for = work.throw(error)
            except StopIteration as done:
                result: T = done.value
                return result
        else:
            try:
                waits_for = work.send(sent)
            except StopIteration as done:
                last: T = done.value
                return last
