"""The URLs that choose and configure an adapter, checked before anything is sent."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from tollkeeper.domain.errors import ConfigurationError

Reader = Callable[[str, str], object]
"""Reads an option of the name and with the value that are given, or raises ``ValueError``."""
_LARGEST_NUMBER = 9  # digits


def parse_url(
    url: str, *, scheme: str, example: str, port: str, options: Mapping[str, Reader]
) -> tuple[str, dict[str, Any]]:
    """Read ``<scheme>+https://host/path?option=value`` as a base URL and the options' values.

    *port* is how faults call the adapter, *example* what its URL looks like, and *options* are
    all that it takes.

    Raises:
        ConfigurationError: it is malformed; all faults of its options at once.
    """
    found, separator, rest = url.partition("://")
    if not separator or found not in (f"{scheme}+https", f"{scheme}+http"):
        raise ConfigurationError(f"the {port}'s URL must read like {example}")
    base_url, _, query = rest.partition("?")
    values: dict[str, Any] = {}
    faults: list[str] = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in options:
            known = ", ".join(options)
            faults.append(f"the {port}'s URL: there is no option {name!r}; there are {known}")
            continue
        try:
            values[name] = options[name](name, value)
        except ValueError as error:
            faults.append(f"the {port}'s URL: {error}")
    if faults:
        raise ConfigurationError(faults)
    return f"{found.removeprefix(f'{scheme}+')}://{base_url}", values


def seconds(name: str, value: str) -> timedelta:
    """Read a number of seconds above 0."""
    try:
        found = timedelta(seconds=float(value))
    except (ValueError, OverflowError):
        found = timedelta(0)
    if found <= timedelta(0):
        raise ValueError(f"{name} is a number of seconds above 0")
    return found


def count(name: str, value: str) -> int:
    """Read a whole number above 0."""
    if not (value.isascii() and value.isdecimal() and int(value[:_LARGEST_NUMBER]) > 0):
        raise ValueError(f"{name} is a whole number above 0")
    return int(value[:_LARGEST_NUMBER])


def one_of(*choices: str) -> Reader:
    """Return what reads one of *choices*."""

    def read(name: str, value: str) -> str:
        if value not in choices:
            raise ValueError(f"{name} is {' or '.join(choices)}")
        return value

    return read


def checked_base_url(base_url: str, *, owner: str, example: str) -> str:
    """Return *base_url* without a slash at its end.

    *owner* is whose it is in what faults say, *example* what it looks like.

    Raises:
        ConfigurationError: it is no plain http or https URL.
    """
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and _host_fits(parts) and _port_fits(parts)
    except ValueError:
        usable = False
    if not usable or not base_url.isprintable() or " " in base_url:
        raise ConfigurationError(f"the {owner}'s base URL must read like {example}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(
            f"the {owner}'s base URL may hold no user, password, query or fragment; "
            "the key is given as api_key"
        )
    return base_url.rstrip("/")


def _host_fits(parts: SplitResult) -> bool:
    return bool(parts.hostname and parts.hostname.encode("idna"))  # or UnicodeError, a ValueError


def _port_fits(parts: SplitResult) -> bool:
    return parts.port is None or parts.port > 0  # reading it checks that it is a port at all
