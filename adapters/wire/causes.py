"""What stands behind an error: its causes, without the frames that hold keys."""

from collections.abc import Iterator
from typing import TypeVar

E = TypeVar("E", bound=BaseException)


def without_frames(error: E) -> E:
    """Drop the frames that *error* passed: the variables in them hold the headers, and the key."""
    for inner in chain(error):
        inner.__traceback__ = None
    return error


def chain(error: BaseException) -> Iterator[BaseException]:
    """Give *error* and all that led to it."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        inner = waiting.pop()
        if inner is not None and id(inner) not in seen:
            seen.add(id(inner))
            yield inner
            waiting += [inner.__cause__, inner.__context__]
