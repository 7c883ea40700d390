"""Embedding models of every provider whose format litellm translates."""

import asyncio
from datetime import timedelta
from types import TracebackType
from typing import Self

from tollkeeper.adapters.litellm.connections import Connections
from tollkeeper.adapters.litellm.decoding import decode_object
from tollkeeper.adapters.litellm.embedding import EmbeddingTranslation
from tollkeeper.adapters.litellm.exchanges import alive
from tollkeeper.adapters.litellm.faults import ERRORS, provider_error
from tollkeeper.adapters.litellm.options import (
    EMBEDDER_OPTIONS,
    checked_base_url,
    checked_provider,
    own_credential,
    parse_url,
    usable,
)
from tollkeeper.adapters.litellm.outgoing import Outgoing
from tollkeeper.adapters.litellm.sealed import Sealed
from tollkeeper.adapters.litellm.styles import style_of
from tollkeeper.adapters.litellm.vectors import decode_vectors
from tollkeeper.adapters.litellm.watching import Watched
from tollkeeper.adapters.wire.exchanges import whole_body
from tollkeeper.adapters.wire.faults import ProviderFault
from tollkeeper.adapters.wire.vectors import PORT
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.embeddings import EmbeddingRequest, Embeddings
from tollkeeper.domain.errors import ContentFiltered
from tollkeeper.domain.secret import Secret


class LitellmEmbedder:
    """The embedding models of one provider of litellm's at one base URL, with no environment.

    litellm writes requests and reads answers; it sends nothing. It is imported with the first
    call.

    Args:
        base_url: what litellm calls ``api_base``, such as ``https://api.voyageai.com/v1``.
        api_key: sent to this base URL only; None where it comes with each call.
        provider: the provider's name, to which credentials are bound.
        litellm_provider: litellm's own name (prefix) for it; by default *provider*.
        connect_timeout: how long connecting, and waiting for a free connection, may take.
        total_timeout: how long an answer may take.
        connections: how many requests may be under way at once.
        largest_response: how many bytes one answer may have.

    Raises:
        ConfigurationError: the base URL or the key cannot be right, or the provider asks for more
            than one key.
    """

    def __init__(
        self,
        base_url: str,
        api_key: Secret | None = None,
        *,
        provider: str = "litellm",
        litellm_provider: str | None = None,
        connect_timeout: timedelta = timedelta(seconds=10),
        total_timeout: timedelta = timedelta(minutes=2),
        connections: int = 100,
        largest_response: int = 256 * 1024 * 1024,
    ) -> None:
        self._provider = checked_provider(provider)
        self._litellm_provider = checked_provider(litellm_provider or provider)
        self._style = style_of(self._litellm_provider)
        self._base_url = checked_base_url(base_url)
        self._own = own_credential(self._provider, self._base_url, api_key)
        self._total_timeout = total_timeout
        self._translation: EmbeddingTranslation | None = None
        self._connections = Connections(
            self._base_url,
            limit=connections,
            connect_timeout=connect_timeout,
            largest_response=largest_response,
            port=PORT,
        )

    @classmethod
    def from_url(
        cls, url: str, *, api_key: Secret | None = None, provider: str = "litellm"
    ) -> Self:
        """Make one from ``litellm+https://host/path?provider=voyage`` or ``litellm+http://…``.

        The option ``provider`` is litellm's own name for it, by default *provider*. The options
        ``connect_timeout`` and ``total_timeout`` (seconds) and ``connections`` may follow.

        Raises:
            ConfigurationError: the URL or the key cannot be right.
        """
        base_url, options = parse_url(url, port="embedder", known=EMBEDDER_OPTIONS)
        return cls(base_url, api_key, provider=provider, **options)

    def __repr__(self) -> str:
        named = f"provider={self._provider!r}, litellm_provider={self._litellm_provider!r}"
        return f"{type(self).__name__}({self._base_url!r}, {named})"

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self._provider

    @property
    def base_url(self) -> str:
        """Where requests go, without a slash at the end."""
        return self._base_url

    async def __aenter__(self) -> Self:
        await self._connections.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._connections.close()

    async def embed(
        self, request: EmbeddingRequest, *, credential: Credential | None = None
    ) -> Embeddings:
        """Ask for one vector for each text."""
        translation, outgoing = await self._prepared(request, credential)
        async with self._connections.request(
            "POST",
            outgoing.url,
            outgoing.body,
            headers=outgoing.headers,
            total=self._total_timeout,
        ) as answer:
            found = decode_object(await whole_body(answer, ERRORS), port=PORT)
            if isinstance(found, ProviderFault):
                raise provider_error(found, answer.headers, port=PORT)
            if isinstance(found, ContentFiltered):
                raise found
            watched = Watched(self._style)
            watched.look(found)
            response = translation.read(outgoing, found, request)
            return decode_vectors(response, request, reported=watched.usage, model=watched.model)

    async def health(self) -> str:
        """Ask the server for its models, and say that it answers.

        Raises:
            CredentialsRefused: it refuses the key.
            Unavailable, Timeout: it does not answer, or says that it is down.
            CorruptResponse: it redirects elsewhere.
        """
        headers = Sealed()
        if self._own is not None:
            ping = EmbeddingRequest("health", ["health"])
            headers = (await self._prepared(ping, None))[1].headers
        return await alive(
            self._connections, self._base_url, "/models", headers, total=self._total_timeout
        )

    async def _prepared(
        self, request: EmbeddingRequest, credential: Credential | None
    ) -> tuple[EmbeddingTranslation, Outgoing]:
        used = usable(
            credential or self._own, provider=self._provider, base_url=self._base_url, port=PORT
        )
        if self._translation is None:
            # Importing litellm takes seconds; the loop has other things to do.
            self._translation = await asyncio.to_thread(
                EmbeddingTranslation, self._litellm_provider, self._style, self._base_url
            )
        return self._translation, self._translation.prepare(request, key=used.secret)
