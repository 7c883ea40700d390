"""Errors without the frames that they passed: the variables in adapters' frames hold keys."""

from typing import TypeVar

E = TypeVar("E", bound=BaseException)


def without_frames(error: E) -> E:
    """Drop the frames of *error* and of all that it arose from, and return it.

    What is cancelled in the midst of a request passes the frames of an HTTP client, and a report
    that shows variables would show the headers.
    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        inner = waiting.pop()
        if inner is not None and id(inner) not in seen:
            seen.add(id(inner))
            inner.__traceback__ = None
            waiting += [inner.__cause__, inner.__context__]
    return error
