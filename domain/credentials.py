"""Credentials: a provider's secret, bound to the one place where it may be sent."""

from datetime import datetime

from attrs import field, frozen

from tollkeeper.domain.errors import CredentialsRefused, InvalidRequest
from tollkeeper.domain.secret import Secret


def _is_plain(secret: Secret) -> bool:
    # By itself, so that no frame of an error holds the text: some tracebacks show local values.
    return all("!" <= character <= "~" for character in secret.reveal())


@frozen
class Credential:
    """The *secret* for *provider* at *base_url*; no adapter of another place will send it.

    *label* names it in records (``default``, ``pool-2``, ``tenant``); it is no secret.
    """

    provider: str
    base_url: str
    secret: Secret = field(repr=False)
    label: str = "tenant"

    def __attrs_post_init__(self) -> None:
        if not all(isinstance(text, str) and text for text in (self.provider, self.base_url)):
            raise InvalidRequest("a credential is bound to a provider and its base URL")
        if not isinstance(self.secret, Secret) or not self.secret:
            raise InvalidRequest(
                f"the credential for {self.provider} is empty: give the tenant's key as a Secret",
                code="empty_credential",
            )
        if not _is_plain(self.secret):
            raise InvalidRequest(
                f"the credential for {self.provider} holds blanks, line ends or characters beyond "
                "ASCII: copy it again",
                code="invalid_credential",
            )

    def is_for(self, provider: str, base_url: str) -> bool:
        """Whether it may be sent to *base_url* of *provider*."""
        return (self.provider, self.base_url.rstrip("/")) == (provider, base_url.rstrip("/"))

    def revealed_to(self, *, provider: str, base_url: str, adapter: str) -> str:
        """Return the secret's text for a request to *base_url* of *provider*.

        Raises:
            CredentialsRefused: it is bound to another place (code ``credential_bound_elsewhere``);
                nothing may be sent.
        """
        if not self.is_for(provider, base_url):
            raise CredentialsRefused(
                f"the credential is bound to {self.provider} at {self.base_url}; it is not sent "
                f"to {provider} at {base_url}",
                port="chat_model",
                adapter=adapter,
                code="credential_bound_elsewhere",
            )
        return self.secret.reveal()


@frozen
class StoredCredential:
    """A provider's credential that *account* brought, as a store keeps it: encrypted.

    *sealed* names the data key it was encrypted with, which is *data_key_id*. *version* goes up
    with each change, for compare-and-swap.
    """

    id: str
    account: str
    provider: str
    base_url: str
    label: str
    sealed: bytes = field(repr=False)
    data_key_id: str
    created_at: datetime
    version: int = 1
