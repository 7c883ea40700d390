"""Chat models behind the OpenAI chat-completions format, at OpenAI or any compatible server."""

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self

from tollkeeper.adapters.openai.connections import Connections
from tollkeeper.adapters.openai.decoding import decode_completion
from tollkeeper.adapters.openai.dialects import MaxTokensField, dialect_for
from tollkeeper.adapters.openai.encoding import encode_request, fitted
from tollkeeper.adapters.openai.exchanges import alive
from tollkeeper.adapters.openai.faults import ERRORS, provider_error
from tollkeeper.adapters.openai.options import (
    checked_base_url,
    checked_provider,
    own_credential,
    parse_url,
)
from tollkeeper.adapters.openai.stream_decoder import StreamDecoder
from tollkeeper.adapters.wire.answers import Answer
from tollkeeper.adapters.wire.exchanges import whole_body
from tollkeeper.adapters.wire.faults import ProviderFault
from tollkeeper.adapters.wire.headers import checked_headers
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completion_builder import as_deltas
from tollkeeper.domain.completions import Completion, Delta
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import PortError, TollkeeperError
from tollkeeper.domain.secret import Secret

# A server that does not stream answers whole; a web page is no answer at all.
_WHOLE = frozenset({"application/json", "text/html"})


class OpenaiChatModel:
    """The models of one provider at one base URL; nothing is read from the environment.

    Use it as ``async with OpenaiChatModel(…) as model``. Without that, connections open in the
    running loop with the first call, and stay open until :meth:`close`.

    Args:
        base_url: where ``/chat/completions`` is found below, such as ``https://api.openai.com/v1``.
        api_key: sent to this base URL only; None for a server that asks for none, or for one
            whose key comes with each call.
        provider: the provider's name, to which credentials are bound; ``openai`` if not given.
        dialect: how the server speaks the format: ``openai``, ``groq``, ``openrouter``, ``xai``,
            ``morph``, ``gemini`` or ``compatible``. By default the host tells it, else the
            *provider*'s name if it is given; what is left is ``compatible``.
        max_tokens_field: what the server calls the bound of what is written; by default as its
            dialect has it.
        connect_timeout: how long connecting, and waiting for a free connection, may take.
        idle_timeout: how long a stream may stay silent, before its first byte too.
        total_timeout: how long a whole answer may take.
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
        max_tokens_field: MaxTokensField | None = None,
        connect_timeout: timedelta = timedelta(seconds=10),
        idle_timeout: timedelta = timedelta(minutes=2),
        total_timeout: timedelta = timedelta(minutes=10),
        connections: int = 100,
        largest_response: int = 64 * 1024 * 1024,
    ) -> None:
        self._provider = checked_provider(provider)
        self._base_url = checked_base_url(base_url)
        self._dialect = dialect_for(self._base_url, provider=provider, named=dialect)
        self._max_tokens_field = max_tokens_field or ""
        self._idle_timeout = idle_timeout
        self._total_timeout = total_timeout
        self._connections = Connections(
            self._provider,
            self._base_url,
            own_credential(self._provider, self._base_url, api_key),
            limit=connections,
            connect_timeout=connect_timeout,
            largest_response=largest_response,
        )

    @classmethod
    def from_url(
        cls, url: str, *, api_key: Secret | None = None, provider: str | None = None
    ) -> Self:
        """Make one from ``openai+https://host/path`` or ``openai+http://…``.

        The options ``connect_timeout``, ``idle_timeout`` and ``total_timeout`` (seconds),
        ``connections``, ``dialect`` and ``max_tokens_field`` may follow as a query.

        Raises:
            ConfigurationError: the URL or the key cannot be right.
        """
        base_url, options = parse_url(url)
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

    async def complete(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> Completion:
        """Ask for a whole answer."""
        request, warnings = fitted(request, self._dialect)
        async with self._connections.request(
            "POST",
            "/chat/completions",
            self._encode(request, stream=False),
            total=self._total_timeout,
            credential=credential,
            headers=self._headers(request),
        ) as answer:
            return await self._whole(answer, warnings)

    async def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncGenerator[Delta, None]:
        """Ask for an answer in pieces."""
        request, warnings = fitted(request, self._dialect)
        # No timeout and no cancel scope is held across a yield: each anext may come from
        # another task. The idle timeout is the connection's own.
        async with self._connections.request(
            "POST",
            "/chat/completions",
            self._encode(request, stream=True),
            idle=self._idle_timeout,
            credential=credential,
            headers=self._headers(request),
        ) as answer:
            if answer.status != 200 or answer.content_type in _WHOLE:
                for delta in as_deltas(await self._whole(answer, warnings)):
                    yield delta
                return
            decoder = StreamDecoder(self._dialect, warnings=warnings)
            try:
                while piece := await self._next_piece(answer, decoder):
                    for delta in decoder.feed(piece):
                        yield delta
                for delta in decoder.end():
                    yield delta
            except TollkeeperError:
                for delta in decoder.so_far():
                    yield delta
                raise
            await answer.see_end()

    async def health(self) -> str:
        """Ask the server for its models, and say that it answers.

        Raises:
            CredentialsRefused: it refuses the key.
            Unavailable, Timeout: it does not answer, or says that it is down.
            CorruptResponse: it redirects elsewhere.
        """
        return await alive(self._connections, self._base_url, total=self._total_timeout)

    def _encode(self, request: ChatRequest, *, stream: bool) -> bytes:
        return encode_request(
            request,
            stream=stream,
            dialect=self._dialect,
            max_tokens_field=self._max_tokens_field,
        )

    def _headers(self, request: ChatRequest) -> Mapping[str, str] | None:
        headers = request.quirks.headers
        return checked_headers(headers) if headers else None

    async def _next_piece(self, answer: Answer, decoder: StreamDecoder) -> bytes:
        """Read on, or return nothing if nothing more is needed."""
        if decoder.done:
            return b""
        try:
            return await answer.read()
        except PortError as error:
            if decoder.whole and error.retryable:
                return b""  # it broke after the whole answer; at most the usage is missing
            raise

    async def _whole(self, answer: Answer, warnings: tuple[str, ...]) -> Completion:
        found = decode_completion(
            await whole_body(answer, ERRORS), dialect=self._dialect, warnings=warnings
        )
        if isinstance(found, ProviderFault):
            raise provider_error(found, answer.headers)
        return found
