"""How the adapter is configured: its URL and its key, checked before anything is sent."""

from collections.abc import Mapping
from typing import Any

from tollkeeper.adapters.wire import keys, urls
from tollkeeper.domain.secret import Secret

BASE_URL = "https://api.anthropic.com"
_OPTIONS: Mapping[str, urls.Reader] = {
    "connect_timeout": urls.seconds,
    "idle_timeout": urls.seconds,
    "total_timeout": urls.seconds,
    "connections": urls.count,
}


def parse_url(url: str) -> tuple[str, dict[str, Any]]:
    """Read ``anthropic+https://host/path?option=value`` as a base URL and constructor options.

    Raises:
        ConfigurationError: it is malformed; all faults of its options at once.
    """
    return urls.parse_url(
        url,
        scheme="anthropic",
        example=f"anthropic+{BASE_URL}",
        port="chat model",
        options=_OPTIONS,
    )


def checked_base_url(base_url: str) -> str:
    """Return *base_url* without a slash at its end.

    Raises:
        ConfigurationError: it is no plain http or https URL.
    """
    return urls.checked_base_url(base_url, owner="chat model", example=BASE_URL)


def checked_api_key(api_key: Secret | None) -> Secret | None:
    """Return *api_key*, which must be text that an HTTP header can carry.

    Raises:
        ConfigurationError: it is empty, or holds spaces, line ends or other such characters.
    """
    unless = "where every call brings a credential"
    return keys.checked_api_key(api_key, owner="chat model", unless=unless)


def checked_provider(provider: str) -> str:
    """Return the provider's name.

    Raises:
        ConfigurationError: it is empty.
    """
    return keys.checked_provider(provider, example="anthropic")
