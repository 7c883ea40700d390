"""Chat models behind the OpenAI chat-completions format, at OpenAI or any compatible server."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from types import TracebackType
from typing import Self

from tollkeeper.adapters.openai.answers import Answer
from tollkeeper.adapters.openai.connections import Connections
from tollkeeper.adapters.openai.decoding import decode_completion
from tollkeeper.adapters.openai.encoding import MaxTokensField, encode_request
from tollkeeper.adapters.openai.faults import (
    ProviderFault,
    corrupt,
    decode_fault,
    provider_error,
)
from tollkeeper.adapters.openai.options import (
    checked_api_key,
    checked_base_url,
    default_max_tokens_field,
    parse_url,
)
from tollkeeper.adapters.openai.stream_decoder import StreamDecoder
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import Completion, Delta, as_deltas
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import PortError, TollkeeperError
from tollkeeper.domain.secret import Secret

_LARGEST_FAULT = 64 * 1024
_HEALTH_PATIENCE = timedelta(seconds=15)
_FAULT_PATIENCE = 5.0  # seconds for the body of an error; its status alone says enough


class OpenaiChatModel:
    """The models of one server, with one key; nothing is read from the environment.

    Use it as ``async with OpenaiChatModel(…) as model``. Without that, connections open in the
    running loop with the first call, and stay open until :meth:`close`.

    Args:
        base_url: where ``/chat/completions`` is found below, such as ``https://api.openai.com/v1``.
        api_key: sent to this base URL only; None for a server that asks for none.
        max_tokens_field: what the server calls the bound of what is written; by default
            ``max_completion_tokens`` at api.openai.com, ``max_tokens`` elsewhere.
        connect_timeout: how long connecting, and waiting for a free connection, may take.
        idle_timeout: how long a stream may stay silent, before its first byte too.
        total_timeout: how long a whole answer may take.
        connections: how many requests may be under way at once.
        largest_response: how many bytes one answer may have.

    Raises:
        ConfigurationError: the base URL or the key cannot be right.
    """

    def __init__(
        self,
        base_url: str,
        api_key: Secret | None = None,
        *,
        max_tokens_field: MaxTokensField | None = None,
        connect_timeout: timedelta = timedelta(seconds=10),
        idle_timeout: timedelta = timedelta(minutes=2),
        total_timeout: timedelta = timedelta(minutes=10),
        connections: int = 100,
        largest_response: int = 64 * 1024 * 1024,
    ) -> None:
        self.base_url = checked_base_url(base_url)
        self._max_tokens_field = max_tokens_field or default_max_tokens_field(self.base_url)
        self._idle_timeout = idle_timeout
        self._total_timeout = total_timeout
        self._connections = Connections(
            self.base_url,
            checked_api_key(api_key),
            limit=connections,
            connect_timeout=connect_timeout,
            largest_response=largest_response,
        )

    @classmethod
    def from_url(cls, url: str, *, api_key: Secret | None = None) -> Self:
        """Make one from ``openai+https://host/path`` or ``openai+http://…``.

        The options ``connect_timeout``, ``idle_timeout`` and ``total_timeout`` (seconds),
        ``connections`` and ``max_tokens_field`` may follow as a query.

        Raises:
            ConfigurationError: the URL or the key cannot be right.
        """
        base_url, options = parse_url(url)
        return cls(base_url, api_key, **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

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
        body = self._encode(request, stream=False)
        async with self._connections.request(
            "POST", "/chat/completions", body, total=self._total_timeout
        ) as answer:
            return await self._whole(answer)

    async def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncGenerator[Delta, None]:
        """Ask for an answer in pieces."""
        body = self._encode(request, stream=True)
        # No timeout and no cancel scope is held across a yield: each anext may come from
        # another task. The idle timeout is the connection's own.
        async with self._connections.request(
            "POST", "/chat/completions", body, idle=self._idle_timeout
        ) as answer:
            if answer.status != 200 or answer.content_type in _WHOLE:
                for delta in as_deltas(await self._whole(answer)):
                    yield delta
                return
            decoder = StreamDecoder()
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
        async with self._connections.request(
            "GET", "/models", total=min(self._total_timeout, _HEALTH_PATIENCE)
        ) as answer:
            if answer.status in (401, 403) or answer.status >= 500 or 300 <= answer.status < 400:
                raise await _fault(answer)
            return f"{self.base_url} answers"

    def _encode(self, request: ChatRequest, *, stream: bool) -> bytes:
        return encode_request(request, stream=stream, max_tokens_field=self._max_tokens_field)

    async def _next_piece(self, answer: Answer, decoder: StreamDecoder) -> bytes:
        """Read on, or return nothing if nothing more is needed."""
        if decoder.done:
            return b""
        try:
            return await answer.read()
        except PortError as error:
            if decoder.finished and error.retryable:
                return b""  # it broke after the whole answer; at most the usage is missing
            raise

    async def _whole(self, answer: Answer) -> Completion:
        if answer.status != 200:
            raise await _fault(answer)
        if answer.content_type == "text/html":
            raise corrupt("a web page answers in the provider's place: check the base URL")
        found = decode_completion(await answer.read_all())
        if isinstance(found, ProviderFault):
            raise provider_error(found, answer.headers)
        return found


# A server that does not stream answers whole; a web page is no answer at all.
_WHOLE = frozenset({"application/json", "text/html"})


async def _fault(answer: Answer) -> TollkeeperError:
    """Read an answer that says what went wrong."""
    body = b""
    try:
        async with asyncio.timeout(_FAULT_PATIENCE):
            body = await answer.read_all(most=_LARGEST_FAULT)
    except (PortError, TimeoutError):
        pass  # the status alone says enough
    return provider_error(decode_fault(body, status=answer.status), answer.headers)
