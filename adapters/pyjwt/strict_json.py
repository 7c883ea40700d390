"""JSON that means one thing to everybody: no name twice, no NaN, no depth that breaks a reader."""

import json
from typing import Any


def decoded(text: bytes) -> Any:
    """Read *text*, which is UTF-8.

    Raises:
        ValueError: it is no JSON, or may be read in two ways.
    """
    try:
        return json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("too deep") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_number(_: str) -> None:
    raise ValueError("no number")
