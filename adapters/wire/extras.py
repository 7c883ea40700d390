"""What is added to a request, laid over what the request says itself. Pure."""

from collections.abc import Mapping
from typing import Any

_SHARED = frozenset({"extra_body", "output_config", "reasoning"})
"""The objects of the formats in which parameters of a request stand beside others."""


def laid_over(body: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return *body* with *extra* laid over it.

    A field of *extra* takes the place of the body's. Of an object in which a parameter of the
    request stands, only what *extra* says is replaced: the rest of it must not be lost unsaid.
    """
    merged = {**body, **extra}
    for name in _SHARED & body.keys() & extra.keys():
        merged[name] = _merged(body[name], extra[name])
    return merged


def _merged(under: Any, over: Any) -> Any:
    if not isinstance(under, Mapping) or not isinstance(over, Mapping):
        return over
    return {**under, **{name: _merged(under.get(name), value) for name, value in over.items()}}
