"""How the adapter is configured: its URL and its key, checked before anything is sent."""

from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from tollkeeper.adapters.openai.dialects import DIALECTS, MAX_TOKENS_FIELDS
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret

_EXAMPLE = "openai+https://api.openai.com/v1"
_SECONDS = ("connect_timeout", "idle_timeout", "total_timeout")
_OPTIONS = (*_SECONDS, "connections", "dialect", "max_tokens_field")
EMBEDDER_OPTIONS = ("connect_timeout", "total_timeout", "connections", "dialect")
_LARGEST_NUMBER = 9  # digits


def parse_url(
    url: str, *, port: str = "chat model", known: tuple[str, ...] = _OPTIONS
) -> tuple[str, dict[str, Any]]:
    """Read ``openai+https://host/path?option=value`` as a base URL and constructor options.

    *port* is how faults call the adapter, *known* the options that it takes.

    Raises:
        ConfigurationError: it is malformed; all faults of its options at once.
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme not in ("openai+https", "openai+http"):
        raise ConfigurationError(f"the {port}'s URL must read like {_EXAMPLE}")
    base_url, _, query = rest.partition("?")
    options: dict[str, Any] = {}
    faults: list[str] = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        try:
            options[name] = _option(name, value, known)
        except ValueError as error:
            faults.append(f"the {port}'s URL: {error}")
    if faults:
        raise ConfigurationError(faults)
    return f"{scheme.removeprefix('openai+')}://{base_url}", options


def _option(name: str, value: str, known: tuple[str, ...]) -> object:
    if name not in known:
        raise ValueError(f"there is no option {name!r}; there are {', '.join(known)}")
    if name in _SECONDS:
        try:
            seconds = timedelta(seconds=float(value))
        except (ValueError, OverflowError):
            seconds = timedelta(0)
        if seconds <= timedelta(0):
            raise ValueError(f"{name} is a number of seconds above 0")
        return seconds
    if name == "connections":
        if not (value.isascii() and value.isdecimal() and int(value[:_LARGEST_NUMBER]) > 0):
            raise ValueError("connections is a whole number above 0")
        return int(value[:_LARGEST_NUMBER])
    choices = tuple(DIALECTS) if name == "dialect" else MAX_TOKENS_FIELDS
    if value not in choices:
        raise ValueError(f"{name} is {' or '.join(choices)}")
    return value


def checked_provider(provider: str | None) -> str:
    """Return the provider's name, ``openai`` where none is given.

    Raises:
        ConfigurationError: it is empty.
    """
    if provider is None:
        return "openai"
    if not isinstance(provider, str) or not provider.strip():
        raise ConfigurationError("a provider has a name, such as openai")
    return provider


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
        raise ConfigurationError(f"the provider's base URL must read like {_EXAMPLE[7:]}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(
            "the provider's base URL may hold no user, password, query or fragment; "
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
    text = api_key.reveal()
    if not text or not all("!" <= character <= "~" for character in text):
        raise ConfigurationError(
            "the provider's api_key is empty or holds spaces, line ends or characters beyond "
            "ASCII: copy it again, or leave it out for a server that needs none"
        )
    return api_key


def own_credential(provider: str, base_url: str, api_key: Secret | None) -> Credential | None:
    """Bind *api_key* to the one place where it may go.

    Raises:
        ConfigurationError: it is no text that a header can carry.
    """
    key = checked_api_key(api_key)
    return None if key is None else Credential(provider, base_url, key, label="default")
