"""How the adapter is configured: its URL and its key, checked before anything is sent."""

from collections.abc import Mapping
from typing import Any

from tollkeeper.adapters.litellm.faults import ADAPTER
from tollkeeper.adapters.wire import keys, urls
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import CredentialsRefused
from tollkeeper.domain.secret import Secret

_BASE_URL = "https://api.mistral.ai/v1"


def _name(name: str, value: str) -> str:
    if not value:
        raise ValueError(f"{name} is litellm's own name for it, such as mistral")
    return value


_OPTIONS: Mapping[str, urls.Reader] = {
    "provider": _name,
    "connect_timeout": urls.seconds,
    "idle_timeout": urls.seconds,
    "total_timeout": urls.seconds,
    "connections": urls.count,
}
EMBEDDER_OPTIONS = ("provider", "connect_timeout", "total_timeout", "connections")
_ARGUMENTS = {"provider": "litellm_provider"}


def parse_url(
    url: str, *, port: str = "chat model", known: tuple[str, ...] = tuple(_OPTIONS)
) -> tuple[str, dict[str, Any]]:
    """Read ``litellm+https://host/path?option=value`` as a base URL and constructor options.

    *port* is how faults call the adapter, *known* the options that it takes.

    Raises:
        ConfigurationError: it is malformed; all faults of its options at once.
    """
    base_url, options = urls.parse_url(
        url,
        scheme="litellm",
        example=f"litellm+{_BASE_URL}?provider=mistral",
        port=port,
        options={name: _OPTIONS[name] for name in known},
    )
    return base_url, {_ARGUMENTS.get(name, name): value for name, value in options.items()}


def checked_provider(provider: str) -> str:
    """Return the provider's name.

    Raises:
        ConfigurationError: it is empty.
    """
    return keys.checked_provider(provider, example="mistral")


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
    unless = "where the key comes with each call"
    key = keys.checked_api_key(api_key, owner="provider", unless=unless)
    return keys.own_credential(provider, base_url, key)


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
    keys.revealed(credential, provider=provider, base_url=base_url, port=port, adapter=ADAPTER)
    return credential
