"""Reading more rows than a project returns at once."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from tollkeeper.adapters.sql.rows import page_size

T = TypeVar("T")
K = TypeVar("K")


async def in_pages(
    ask: Callable[[K, int], Awaitable[Sequence[T]]],
    *,
    limit: int,
    most: int,
    after: K,
    key: Callable[[T], K],
) -> tuple[T, ...]:
    """Ask for at most *limit* things in their order, *most* at a time.

    Args:
        ask: returns those after a key, at most so many.
        limit: how many are wanted.
        most: how many the project returns at once.
        after: where to begin.
        key: what *ask* takes to go on after a thing.
    """
    found: list[T] = []
    limit = page_size(limit)
    while True:
        wanted = min(limit - len(found), most)
        page = await ask(after, wanted)
        found += page
        if len(page) < wanted or len(found) >= limit:
            return tuple(found)
        after = key(page[-1])
