"""Mappings that nobody can write to, in values that can be copied and sent to other processes."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from attrs import fields

K = TypeVar("K")
V = TypeVar("V")


def read_only(table: Mapping[K, V]) -> Mapping[K, V]:
    """Return a copy of *table* that cannot be changed."""
    return MappingProxyType(dict(table))


def made_anew(value: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Say how to make *value*, of an attrs class, again: its ``__reduce__``.

    Python itself can neither copy nor pickle a read-only mapping.
    """
    given = {
        attribute.alias: _plain(getattr(value, attribute.name))
        for attribute in fields(type(value))
        if attribute.init
    }
    return _make, (type(value), given)


def _plain(given: Any) -> Any:
    return dict(given) if isinstance(given, MappingProxyType) else given


def _make(kind: Callable[..., Any], given: dict[str, Any]) -> Any:
    return kind(**given)
