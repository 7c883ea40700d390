"""The keys that adapters are given, and the providers' names to which they are bound."""

from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import ConfigurationError, CredentialsRefused
from tollkeeper.domain.secret import Secret


def checked_provider(provider: str, *, example: str) -> str:
    """Return the provider's name; *example* is one.

    Raises:
        ConfigurationError: it is empty.
    """
    if not isinstance(provider, str) or not provider.strip():
        raise ConfigurationError(f"a provider has a name, such as {example}")
    return provider


def checked_api_key(api_key: Secret | None, *, owner: str, unless: str) -> Secret | None:
    """Return *api_key*, which must be text that an HTTP header can carry.

    *owner* is whose it is in what faults say, *unless* where it may be left out.

    Raises:
        ConfigurationError: it is empty, or holds spaces, line ends or other such characters.
    """
    if api_key is None:
        return None
    if not _is_sendable(api_key):
        raise ConfigurationError(
            f"the {owner}'s api_key is empty or holds spaces, line ends or characters beyond "
            f"ASCII: copy it again, or leave it out {unless}"
        )
    return api_key


def _is_sendable(api_key: Secret) -> bool:
    # By itself, so that no frame of an error holds the text: some tracebacks show local values.
    text = api_key.reveal()
    return bool(text) and all("!" <= character <= "~" for character in text)


def own_credential(provider: str, base_url: str, api_key: Secret | None) -> Credential | None:
    """Bind *api_key*, which was checked, to the one place where it may go."""
    return None if api_key is None else Credential(provider, base_url, api_key, label="default")


def revealed(
    credential: Credential, *, provider: str, base_url: str, port: str, adapter: str
) -> str:
    """Return the key of *credential*, which may be sent to *base_url* of *provider*.

    Raises:
        CredentialsRefused: it is bound elsewhere; nothing may be sent.
    """
    try:
        return credential.revealed_to(provider=provider, base_url=base_url, adapter=adapter)
    except CredentialsRefused as error:
        error.port = port
        raise
