"""Bind a caller's own provider key to the place where it may be sent."""

from typing import Any

from attrs import frozen

from tollkeeper.application.providers import Providers
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import Unsupported
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.chat_model import ChatModel
from tollkeeper.ports.embedder import Embedder
from tollkeeper.ports.keyed import Keyed


@frozen
class BindCredential:
    """Make the credential that a call brings along for itself."""

    chat_models: Providers[ChatModel]
    embedders: Providers[Embedder]

    async def __call__(self, *, provider: str, secret: Secret, label: str = "tenant") -> Credential:
        """Return *secret* bound to *provider* and the base URL that it has now.

        A credential that is kept goes on naming that base URL: if the settings later point the
        provider elsewhere, it is refused rather than sent there.

        Raises:
            NotFound: no such provider is configured.
            Unsupported: the provider's adapter sends no credential.
            InvalidRequest: *secret* is empty or malformed.
        """
        found: Any = self.chat_models.adapters.get(provider) or self.embedders.adapters.get(
            provider
        )
        if found is None:
            found, _ = self.chat_models.serving(f"{provider}/any")
        if not isinstance(found, Keyed):
            raise Unsupported(f"{provider} takes no credential", code="credential_not_taken")
        return Credential(provider, found.base_url, secret, label=label)
