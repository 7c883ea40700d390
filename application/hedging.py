"""Asking a second time when the first attempt is slow, and taking what is faster."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from tollkeeper.application.asked import Asked, Choice, Opening
from tollkeeper.application.live_attempt import LiveAttempt
from tollkeeper.application.shielded import shielded

A = TypeVar("A")
T = TypeVar("T")
Chain = Callable[[Sequence[Choice[A]]], Coroutine[Any, Any, tuple[T, LiveAttempt[A]]]]
"""Asks along choices in their order, and returns what the first that succeeds opened."""


async def hedged(
    chain: Chain[A, T], asked: Asked[A], opening: Opening[A, T]
) -> tuple[T, LiveAttempt[A]]:
    """Ask along *chain*, and once more if nothing came by then; take what is faster.

    Raises:
        TollkeeperError: both failed; the last failure.
    """
    assert asked.hedge_after is not None
    running = {asyncio.ensure_future(chain(asked.choices))}
    winner: tuple[T, LiveAttempt[A]] | None = None
    failure: BaseException | None = None
    try:
        done, _ = await asyncio.wait(running, timeout=asked.hedge_after.total_seconds())
        if not done:
            # The next model first, and the same one if it is the only one.
            second = [*asked.choices[1:], asked.choices[0]]
            running.add(asyncio.ensure_future(chain(second)))
        while running and winner is None:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.exception() is not None:
                    failure = task.exception()
                elif winner is None:
                    winner = task.result()
                else:
                    running.add(task)  # it won too, a moment later: it is left below
    finally:
        left = running
        try:
            # What a loser opened at the last moment must be left too, whoever cancels us.
            await shielded(lambda: _leave(left, opening))
        except BaseException:
            if winner is not None:
                attempt, opened = winner[1], winner[0]
                await shielded(lambda: opening.discard(attempt, opened))
            raise
    if winner is not None:
        return winner
    assert failure is not None
    raise failure


async def _leave(
    running: "set[asyncio.Task[tuple[T, LiveAttempt[A]]]]", opening: Opening[A, T]
) -> None:
    """End the attempts that lost, and whatever they opened."""
    for task in running:
        task.cancel()
    for ended in await asyncio.gather(*running, return_exceptions=True):
        if not isinstance(ended, BaseException):
            opened, attempt = ended
            await opening.discard(attempt, opened)
