"""Bind a caller's own provider key to the place where it may be sent."""

from typing import Any, Literal

from attrs import frozen

from tollkeeper.application.providers import Providers
from tollkeeper.domain.checks import checked_text
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import InvalidRequest, Unsupported
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.chat_model import ChatModel
from tollkeeper.ports.embedder import Embedder
from tollkeeper.ports.keyed import Keyed

KeyedPort = Literal["chat_model", "embedder"]
"""The ports whose calls take a credential of the caller's own."""


@frozen
class BindCredential:
    """Make the credential that a call brings along for itself."""

    chat_models: Providers[ChatModel]
    embedders: Providers[Embedder]

    async def __call__(
        self,
        *,
        provider: str,
        secret: Secret,
        label: str = "tenant",
        port: KeyedPort | None = None,
    ) -> Credential:
        """Return *secret* bound to *provider* and the base URL that it has now.

        *port* says for which calls it is, where the provider chats at one base URL and embeds at
        another: ``chat_model`` or ``embedder``. Without it, it is for the chat model if there is
        one. A credential that is kept goes on naming its base URL: if the settings later point
        the provider elsewhere, it is refused rather than sent there.

        Raises:
            NotFound: no such provider is configured (for *port*).
            Unsupported: the provider's adapter sends no credential.
            InvalidRequest: *secret* is empty or malformed, *provider* is no text, or *port* is
                none of the two.
        """
        by_port: dict[str | None, Providers[Any]] = {
            "chat_model": self.chat_models,
            "embedder": self.embedders,
        }
        checked_text(provider, field="provider")
        if port is None:
            port = "chat_model"
            if provider in self.embedders.adapters and provider not in self.chat_models.adapters:
                port = "embedder"
        if not isinstance(port, str) or port not in by_port:
            raise InvalidRequest('port is "chat_model" or "embedder"')
        found, _ = by_port[port].serving(f"{provider}/any")
        if not isinstance(found, Keyed):
            raise Unsupported(f"{provider} takes no credential", code="credential_not_taken")
        return Credential(provider, found.base_url, secret, label=label)
