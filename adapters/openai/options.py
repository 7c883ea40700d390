"""How the adapter is configured: its URL and its key, checked before anything is sent."""

from collections.abc import Mapping
from typing import Any

from tollkeeper.adapters.openai.dialects import DIALECTS, MAX_TOKENS_FIELDS
from tollkeeper.adapters.wire import keys, urls
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.secret import Secret

_BASE_URL = "https://api.openai.com/v1"
_OPTIONS: Mapping[str, urls.Reader] = {
    "connect_timeout": urls.seconds,
    "idle_timeout": urls.seconds,
    "total_timeout": urls.seconds,
    "connections": urls.count,
    "dialect": urls.one_of(*DIALECTS),
    "max_tokens_field": urls.one_of(*MAX_TOKENS_FIELDS),
}
EMBEDDER_OPTIONS = ("connect_timeout", "total_timeout", "connections", "dialect")


def parse_url(
    url: str, *, port: str = "chat model", known: tuple[str, ...] = tuple(_OPTIONS)
) -> tuple[str, dict[str, Any]]:
    """Read ``openai+https://host/path?option=value`` as a base URL and constructor options.

    *port* is how faults call the adapter, *known* the options that it takes.

    Raises:
        ConfigurationError: it is malformed; all faults of its options at once.
    """
    return urls.parse_url(
        url,
        scheme="openai",
        example=f"openai+{_BASE_URL}",
        port=port,
        options={name: _OPTIONS[name] for name in known},
    )


def checked_provider(provider: str | None) -> str:
    """Return the provider's name, ``openai`` where none is given.

    Raises:
        ConfigurationError: it is empty.
    """
    return "openai" if provider is None else keys.checked_provider(provider, example="openai")


def checked_base_url(base_url: str) -> str:
    """Return *base_url* without a slash at its end.

    Raises:
        ConfigurationError: it is no plain http or https URL.
    """
    return urls.checked_base_url(base_url, owner="provider", example=_BASE_URL)


def own_credential(provider: str, base_url: str, api_key: Secret | None) -> Credential | None:
    """Bind *api_key* to the one place where it may go.

    Raises:
        ConfigurationError: it is no text that a header can carry.
    """
    unless = "for a server that needs none"
    key = keys.checked_api_key(api_key, owner="provider", unless=unless)
    return keys.own_credential(provider, base_url, key)
