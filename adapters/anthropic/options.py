"""How the adapter is configured: its URL and its key, checked before anything is sent."""

from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret

BASE_URL = "https://api.anthropic.com"
_SCHEMES = ("anthropic+https", "anthropic+http")
_EXAMPLE = f"anthropic+{BASE_URL}"
_SECONDS = ("connect_timeout", "idle_timeout", "total_timeout")
_OPTIONS = (*_SECONDS, "connections")


def parse_url(url: str) -> tuple[str, dict[str, Any]]:
    """Read ``anthropic+https://host/path?option=value`` as a base URL and constructor options.

    Raises:
        ConfigurationError: it is malformed; all faults of its options at once.
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme not in _SCHEMES:
        raise ConfigurationError(f"the chat model's URL must read like {_EXAMPLE}")
    base_url, _, query = rest.partition("?")
    options: dict[str, Any] = {}
    faults: list[str] = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        try:
            options[name] = _option(name, value)
        except ValueError as error:
            faults.append(f"the chat model's URL: {error}")
    if faults:
        raise ConfigurationError(faults)
    return f"{scheme.removeprefix('anthropic+')}://{base_url}", options


def _option(name: str, value: str) -> object:
    if name in _SECONDS:
        try:
            seconds = timedelta(seconds=float(value))
        except (ValueError, OverflowError):
            seconds = timedelta(0)
        if seconds <= timedelta(0):
            raise ValueError(f"{name} is a number of seconds above 0")
        return seconds
    if name == "connections":
        if not (value.isascii() and value.isdecimal() and int(value[:9]) > 0):
            raise ValueError("connections is a whole number above 0")
        return int(value[:9])
    raise ValueError(f"there is no option {name!r}; there are {', '.join(_OPTIONS)}")


def checked_base_url(base_url: str) -> str:
    """Return *base_url* without a slash at its end.

    Raises:
        ConfigurationError: it is no plain http or https URL.
    """
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and _host_fits(parts) and _port_fits(parts)
    except ValueError:
        usable = False
    if not usable or not base_url.isprintable() or " " in base_url:
        raise ConfigurationError(f"the chat model's base URL must read like {BASE_URL}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(
            "the chat model's base URL may hold no user, password, query or fragment; "
            "the key is given as api_key"
        )
    return base_url.rstrip("/")


def _host_fits(parts: SplitResult) -> bool:
    return bool(parts.hostname and parts.hostname.encode("idna"))  # or UnicodeError, a ValueError


def _port_fits(parts: SplitResult) -> bool:
    return parts.port is None or parts.port > 0  # reading it checks that it is a port at all


def checked_api_key(api_key: Secret | None) -> Secret | None:
    """Return *api_key*, which must be text that an HTTP header can carry.

    Raises:
        ConfigurationError: it is empty, or holds spaces, line ends or other such characters.
    """
    if api_key is None:
        return None
    if not _is_sendable(api_key):
        raise ConfigurationError(
            "the chat model's api_key is empty or holds spaces, line ends or characters beyond "
            "ASCII: copy it again, or leave it out where every call brings a credential"
        )
    return api_key


def _is_sendable(api_key: Secret) -> bool:
    # By itself, so that no frame of an error holds the text: some tracebacks show local values.
    text = api_key.reveal()
    return bool(text) and all("!" <= character <= "~" for character in text)


def checked_provider(provider: str) -> str:
    """Return the provider's name.

    Raises:
        ConfigurationError: it is empty.
    """
    if not isinstance(provider, str) or not provider.strip():
        raise ConfigurationError("a provider has a name, such as anthropic")
    return provider
