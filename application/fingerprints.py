"""Digests that tell one question from another, the same in every process and at every time.

What is written is a prefix code: each value begins with its kind, and with its length where it
has one. So two values have the same digest if, and only if, they say the same. Numbers that are
equal are written alike (``1`` and ``1.0``), and so are lists and tuples, and all mappings of the
same pairs; ``True`` is no number, and bytes are no text.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from tollkeeper.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from attrs import AttrsInstance

_OF_THE_CATALOGUE = frozenset({"model", "quirks"})
"""What is known of the model is not asked for, and may be better known at a replay."""


def fingerprint(request: "AttrsInstance", own: Mapping[str, object] | None = None) -> str:
    """Return a digest of what the caller asks in *request*, to tell a replay from another call.

    The model is no part of it: its name at the provider and its quirks stand in the catalogue.
    *own* holds, as the caller gave them (None: not at all), the fields that settings, plan or
    catalogue fill in or change.

    Raises:
        InvalidRequest: something in it is no JSON, bytes or attrs object.
    """
    given = own or {}
    hidden = _OF_THE_CATALOGUE | given.keys()
    asked = {name: value for name, value in _said(request, {}) if name not in hidden}
    asked |= {name: value for name, value in given.items() if value is not None}
    return digest((type(request).__name__, asked))


def digest(value: object) -> str:
    """Return a digest of all that *value* says.

    Raises:
        InvalidRequest: something in it is no JSON, bytes, set or attrs object.
    """
    found = hashlib.sha256()
    defaults: _Defaults = {}
    # A stack of our own: what a caller nests deeply enough would exhaust Python's.
    left: list[object] = [value]
    while left:
        each = left.pop()
        if type(each) is _Written:
            found.update(each)
            continue
        scalar = _scalar(each)
        if scalar is not None:
            found.update(scalar)
        elif isinstance(each, list | tuple):
            found.update(b"l%d:" % len(each))
            left.extend(reversed(each))
        elif isinstance(each, set | frozenset):
            found.update(b"e%d:" % len(each))
            left.extend(sorted(map(_key, each), reverse=True))
        elif isinstance(each, Mapping):
            found.update(b"m%d:" % len(each))
            _push(left, each.items())
        elif attrs.has(type(each)):
            said = _said(each, defaults)
            found.update(b"o%d:" % len(said) + _text(type(each).__name__))
            _push(left, said)
        else:
            raise InvalidRequest(f"a {type(each).__name__} cannot be part of a request")
    return found.hexdigest()


class _Written(bytes):
    """What is written already."""


def _push(left: list[object], pairs: Iterable[tuple[object, object]]) -> None:
    for key, value in sorted(((_key(k), v) for k, v in pairs), key=_first, reverse=True):
        left += (value, key)


def _first(pair: tuple[bytes, object]) -> bytes:
    return pair[0]


def _text(text: str) -> bytes:
    # Subclasses, such as members of a StrEnum, are the text that they stand for.
    written = str.encode(text, "utf-8", "surrogatepass")
    return b"s%d:" % len(written) + written


def _scalar(value: object) -> bytes | None:
    """Write what has no parts; None for anything else."""
    if isinstance(value, str):
        return _text(value)
    if value is None:
        return b"n"
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int):
        return b"i%x;" % int(value)
    if isinstance(value, float):
        if math.isnan(value):
            raise InvalidRequest("a number that is none cannot be part of a request")
        return b"i%x;" % int(value) if value.is_integer() else b"d%b;" % value.hex().encode()
    if isinstance(value, bytes | bytearray | memoryview):
        written = bytes(value)
        return b"b%d:" % len(written) + written
    return None


def _key(key: object) -> _Written:
    """Write the key of a mapping, or the member of a set."""
    # JSON makes texts of numbers that are keys, and the texts of 1 and 1.0 differ.
    written = b"d%b;" % key.hex().encode() if isinstance(key, float) else _scalar(key)
    if written is None:
        raise InvalidRequest(f"a {type(key).__name__} cannot be a key in a request")
    return _Written(written)


_Defaults = dict[type, list[tuple[str, object]]]
"""The fields of classes, with what they have if nothing is said."""


def _said(each: Any, defaults: _Defaults) -> list[tuple[str, object]]:
    """Return the fields of an attrs object that say something.

    One that has its default is left out: a field that a later version adds, with a default,
    changes no digest.
    """
    kind = type(each)
    if kind not in defaults:
        fields = attrs.fields(kind)
        defaults[kind] = [(f.name, _default(f)) for f in fields if f.init and f.eq]
    found = []
    for name, default in defaults[kind]:
        value = getattr(each, name)
        if value is not default and not _alike(value, default):
            found.append((name, value))
    return found


def _default(field: "attrs.Attribute[Any]") -> object:
    default = field.default
    make = getattr(default, "factory", None)
    if make is None:
        return default
    return attrs.NOTHING if getattr(default, "takes_self", False) else make()


def _alike(value: object, default: object) -> bool:
    if default is attrs.NOTHING or bool(value) != bool(default):
        return False
    return digest(value) == digest(default)
