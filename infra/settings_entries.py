"""How the entries of settings that are tables or switches are read from TOML and variables."""

from collections.abc import Callable, Mapping
from typing import Any

from tollkeeper.application.key_pools import PoolKey
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.secret import Secret

ReadSecret = Callable[[object], Secret]
_SWITCHES = {"true": True, "false": False}


def read_switch(value: object) -> bool:
    """Read true or false.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _SWITCHES:
        return _SWITCHES[value]
    raise ValueError("must be true or false")


def read_models(value: object) -> tuple[str, ...]:
    """Read a list of models; in a variable they stand apart by blanks.

    Raises:
        ValueError: it is no list of texts.
    """
    return _texts(value, "models")


def read_names(value: object) -> tuple[str, ...]:
    """Read a list of names; in a variable they stand apart by blanks.

    Raises:
        ValueError: it is no list of texts.
    """
    return _texts(value, "names")


def _texts(value: object, what: str) -> tuple[str, ...]:
    items = value.split() if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError(f"must be a list of {what}")
    return tuple(items)


def read_pool(value: object, read_secret: ReadSecret) -> tuple[PoolKey, ...]:
    """Read the keys of a pool: each a secret, or a table ``{ key = "env:NAME", weight = 3 }``.

    ``secret:NAME`` leaves the secret to the secret source.

    Raises:
        ValueError: an entry is malformed.
    """
    items = value.split() if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise ValueError("must be a list of keys")
    return tuple(_pool_key(item, number, read_secret) for number, item in enumerate(items, start=1))


def _pool_key(item: Any, number: int, read_secret: ReadSecret) -> PoolKey:
    table = item if isinstance(item, Mapping) else {"key": item}
    unknown = set(table) - {"key", "weight", "label"}
    if unknown or "key" not in table:
        raise ValueError('a key reads { key = "env:NAME", weight = 3, label = "main" }')
    weight, label = table.get("weight", 1), table.get("label", f"key-{number}")
    text = table["key"]
    try:
        if isinstance(text, str) and text.startswith("secret:"):
            return PoolKey(label, name=text.removeprefix("secret:"), weight=weight)
        return PoolKey(label, secret=read_secret(text), weight=weight)
    except InvalidRequest as error:
        raise ValueError(error.public_message) from None
