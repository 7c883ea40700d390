"""How the adapter is configured: its URL and its key, checked before anything is sent."""

from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from tollkeeper.adapters.litellm.faults import ADAPTER
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import ConfigurationError, CredentialsRefused
from tollkeeper.domain.secret import Secret

_EXAMPLE = "litellm+https://api.mistral.ai/v1?provider=mistral"
_BASE_EXAMPLE = "https://api.mistral.ai/v1"
_SECONDS = ("connect_timeout", "idle_timeout", "total_timeout")
_OPTIONS = ("provider", *_SECONDS, "connections")
EMBEDDER_OPTIONS = ("provider", "connect_timeout", "total_timeout", "connections")
_LARGEST_NUMBER = 9  # digits
_ARGUMENTS = {"provider": "litellm_provider"}


def parse_url(
    url: str, *, port: str = "chat model", known: tuple[str, ...] = _OPTIONS
) -> tuple[str, dict[str, Any]]:
    """Read ``litellm+https://host/path?option=value`` as a base URL and constructor options.

    *port* is how faults call the adapter, *known* the options that it takes.

    Raises:
        ConfigurationError: it is malformed; all faults of its options at once.
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme not in ("litellm+https", "litellm+http"):
        raise ConfigurationError(f"the {port}'s URL must read like {_EXAMPLE}")
    base_url, _, query = rest.partition("?")
    options: dict[str, Any] = {}
    faults: list[str] = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        try:
            options[_ARGUMENTS.get(name, name)] = _option(name, value, known)
        except ValueError as error:
            faults.append(f"the {port}'s URL: {error}")
    if faults:
        raise ConfigurationError(faults)
    return f"{scheme.removeprefix('litellm+')}://{base_url}", options


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
    if not value:
        raise ValueError("provider is litellm's own name for it, such as mistral")
    return value


def checked_provider(provider: str) -> str:
    """Return the provider's name.

    Raises:
        ConfigurationError: it is empty.
    """
    if not isinstance(provider, str) or not provider.strip():
        raise ConfigurationError("a provider has a name, such as mistral")
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
        raise ConfigurationError(f"the provider's base URL must read like {_BASE_EXAMPLE}")
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
            "ASCII: copy it again, or leave it out where the key comes with each call"
        )
    return api_key


def own_credential(provider: str, base_url: str, api_key: Secret | None) -> Credential | None:
    """Bind *api_key* to the one place where it may go.

    Raises:
        ConfigurationError: it is no text that a header can carry.
    """
    key = checked_api_key(api_key)
    return None if key is None else Credential(provider, base_url, key, label="default")


def usable(credential: Credential | None, *, provider: str, base_url: str, port: str) -> Credential:
    """Return *credential*, which may be sent to *base_url* of *provider*.

    Raises:
        CredentialsRefused: there is none (litellm would look for one in the environment), or it
            is bound elsewhere; nothing may be sent.
    """
    if credential is None:
        raise CredentialsRefused(
            f"there is no key for {provider}: set one, or give one with the call",
            port=port,
            adapter=ADAPTER,
            code="credential_missing",
        )
    try:
        credential.revealed_to(provider=provider, base_url=base_url, adapter=ADAPTER)
    except CredentialsRefused as error:
        error.port = port
        raise
    return credential
