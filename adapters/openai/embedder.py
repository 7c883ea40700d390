"""Embedding models behind the OpenAI format, at OpenAI or any compatible server."""

from datetime import timedelta
from types import TracebackType
from typing import Self

from tollkeeper.adapters.openai.connections import Connections
from tollkeeper.adapters.openai.dialects import dialect_for
from tollkeeper.adapters.openai.exchanges import alive
from tollkeeper.adapters.openai.faults import ERRORS, provider_error
from tollkeeper.adapters.openai.options import (
    EMBEDDER_OPTIONS,
    checked_base_url,
    checked_provider,
    own_credential,
    parse_url,
)
from tollkeeper.adapters.openai.vectors import decode_vectors, encode_texts
from tollkeeper.adapters.wire.exchanges import whole_body
from tollkeeper.adapters.wire.faults import ProviderFault
from tollkeeper.adapters.wire.vectors import PORT
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.embeddings import EmbeddingRequest, Embeddings
from tollkeeper.domain.secret import Secret


class OpenaiEmbedder:
    """The embedding models of one provider at one base URL; nothing is read from the environment.

    Use it as ``async with OpenaiEmbedder(…) as embedder``. Without that, connections open in the
    running loop with the first call, and stay open until :meth:`close`.

    Args:
        base_url: where ``/embeddings`` is found below, such as ``https://api.openai.com/v1``.
        api_key: sent to this base URL only; None for a server that asks for none, or for one
            whose key comes with each call.
        provider: the provider's name, to which credentials are bound; ``openai`` if not given.
        dialect: how the server speaks the format; see ``OpenaiChatModel``.
        connect_timeout: how long connecting, and waiting for a free connection, may take.
        total_timeout: how long an answer may take.
        connections: how many requests may be under way at once.
        largest_response: how many bytes one answer may have.

    Raises:
        ConfigurationError: the base URL or the key cannot be right, or there is no such dialect.
    """

    def __init__(
        self,
        base_url: str,
        api_key: Secret | None = None,
        *,
        provider: str | None = None,
        dialect: str | None = None,
        connect_timeout: timedelta = timedelta(seconds=10),
        total_timeout: timedelta = timedelta(minutes=2),
        connections: int = 100,
        largest_response: int = 256 * 1024 * 1024,
    ) -> None:
        self._provider = checked_provider(provider)
        self._base_url = checked_base_url(base_url)
        self._dialect = dialect_for(self._base_url, provider=provider, named=dialect)
        self._total_timeout = total_timeout
        self._connections = Connections(
            self._provider,
            self._base_url,
            own_credential(self._provider, self._base_url, api_key),
            limit=connections,
            connect_timeout=connect_timeout,
            largest_response=largest_response,
            port=PORT,
        )

    @classmethod
    def from_url(
        cls, url: str, *, api_key: Secret | None = None, provider: str | None = None
    ) -> Self:
        """Make one from ``openai+https://host/path`` or ``openai+http://…``.

        The options ``connect_timeout`` and ``total_timeout`` (seconds), ``connections`` and
        ``dialect`` may follow as a query.

        Raises:
            ConfigurationError: the URL or the key cannot be right.
        """
        base_url, options = parse_url(url, port="embedder", known=EMBEDDER_OPTIONS)
        return cls(base_url, api_key, provider=provider, **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base_url!r}, provider={self._provider!r})"

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self._provider

    @property
    def base_url(self) -> str:
        """Where requests go, without a slash at the end."""
        return self._base_url

    @property
    def dialect(self) -> str:
        """The name of the dialect that is spoken."""
        return self._dialect.name

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
        body = encode_texts(request, self._dialect)
        async with self._connections.request(
            "POST", "/embeddings", body, total=self._total_timeout, credential=credential
        ) as answer:
            found = decode_vectors(await whole_body(answer, ERRORS), request)
            if isinstance(found, ProviderFault):
                raise provider_error(found, answer.headers, port=PORT)
            return found

    async def health(self) -> str:
        """Ask the server for its models, and say that it answers.

        Raises:
            CredentialsRefused: it refuses the key.
            Unavailable, Timeout: it does not answer, or says that it is down.
            CorruptResponse: it redirects elsewhere.
        """
        return await alive(self._connections, self._base_url, total=self._total_timeout)
