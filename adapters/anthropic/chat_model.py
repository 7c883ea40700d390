"""Chat models behind the Messages API, at Anthropic or a server that speaks as it does."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from types import TracebackType
from typing import Self

from tollkeeper.adapters.anthropic.answers import Answer, timed_out
from tollkeeper.adapters.anthropic.connections import Connections
from tollkeeper.adapters.anthropic.decoding import decode_completion
from tollkeeper.adapters.anthropic.encoding import encode_request, extra_headers
from tollkeeper.adapters.anthropic.faults import (
    ADAPTER,
    PORT,
    corrupt,
    provider_error,
)
from tollkeeper.adapters.anthropic.fitting import fitted
from tollkeeper.adapters.anthropic.options import (
    BASE_URL,
    checked_api_key,
    checked_base_url,
    checked_provider,
    parse_url,
)
from tollkeeper.adapters.anthropic.stream_decoder import StreamDecoder
from tollkeeper.adapters.wire.faults import ProviderFault
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completion_builder import as_deltas
from tollkeeper.domain.completions import Completion, Delta
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import CredentialsRefused, TollkeeperError
from tollkeeper.domain.secret import Secret

_MESSAGES = "/v1/messages"
_MODELS = "/v1/models"
_HEALTH_PATIENCE = timedelta(seconds=15)
# A server that does not stream answers whole; a web page is no answer at all.
_WHOLE = frozenset({"application/json", "text/html"})


class AnthropicChatModel:
    """Claude, with one key or each caller's own; nothing is read from the environment.

    Use it as ``async with AnthropicChatModel(…) as model``. Without that, the SDK is imported and
    connections open in the running loop with the first call, and stay open until :meth:`close`.

    Args:
        base_url: where ``/v1/messages`` is found below.
        api_key: sent to this base URL only; None where each call brings a credential.
        provider: the name that credentials are bound to.
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
        base_url: str = BASE_URL,
        api_key: Secret | None = None,
        *,
        provider: str = "anthropic",
        connect_timeout: timedelta = timedelta(seconds=10),
        idle_timeout: timedelta = timedelta(minutes=2),
        total_timeout: timedelta = timedelta(minutes=10),
        connections: int = 100,
        largest_response: int = 64 * 1024 * 1024,
    ) -> None:
        self._base_url = checked_base_url(base_url)
        self._provider = checked_provider(provider)
        self._api_key = checked_api_key(api_key)
        self._idle_timeout = idle_timeout
        self._total_timeout = total_timeout
        self._connections = Connections(
            self._base_url,
            limit=connections,
            connect_timeout=connect_timeout,
            largest_response=largest_response,
        )

    @classmethod
    def from_url(
        cls, url: str, *, api_key: Secret | None = None, provider: str = "anthropic"
    ) -> Self:
        """Make one from ``anthropic+https://host`` or ``anthropic+http://…``.

        The options ``connect_timeout``, ``idle_timeout`` and ``total_timeout`` (seconds) and
        ``connections`` may follow as a query.

        Raises:
            ConfigurationError: the URL or the key cannot be right.
        """
        base_url, options = parse_url(url)
        return cls(base_url, api_key, provider=provider, **options)

    @property
    def provider(self) -> str:
        """The name that credentials are bound to."""
        return self._provider

    @property
    def base_url(self) -> str:
        """Where the requests go."""
        return self._base_url

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base_url!r})"

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
        request, warnings = fitted(request)
        body = encode_request(request, stream=False)
        headers = extra_headers(request)
        try:
            async with (
                asyncio.timeout(self._total_timeout.total_seconds()),
                self._connections.request(
                    _MESSAGES, body, key=self._key(credential), headers=headers
                ) as answer,
            ):
                return await _whole(answer, warnings)
        except TimeoutError as error:
            raise timed_out(error) from error

    async def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncGenerator[Delta, None]:
        """Ask for an answer in pieces."""
        request, warnings = fitted(request)
        body = encode_request(request, stream=True)
        headers = extra_headers(request)
        # No timeout and no cancel scope is held across a yield: each anext may come from
        # another task. The idle timeout is the connection's own.
        async with self._connections.request(
            _MESSAGES,
            body,
            key=self._key(credential),
            headers=headers,
            idle=self._idle_timeout,
        ) as answer:
            if answer.content_type in _WHOLE:
                for delta in as_deltas(await _whole(answer, warnings)):
                    yield delta
                return
            decoder = StreamDecoder(warnings=warnings)
            try:
                while not (decoder.done or answer.ended):
                    # No name for the bytes: a traceback would show them with an error's words.
                    for delta in decoder.feed(await answer.read()):
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
            CredentialsRefused: it refuses the key; without one, its refusal is an answer.
            Unavailable, Timeout: it does not answer, or says that it is down.
            CorruptResponse: it redirects elsewhere.
        """
        patience = min(self._total_timeout, _HEALTH_PATIENCE)
        try:
            async with (
                asyncio.timeout(patience.total_seconds()),
                self._connections.request(_MODELS, key=self._api_key) as answer,
            ):
                await answer.read_all()
        except TimeoutError as error:
            raise timed_out(error) from error
        except TollkeeperError as error:
            fault = error.__cause__
            if not isinstance(fault, ProviderFault) or not 400 <= (fault.status or 0) < 500:
                raise
            if isinstance(error, CredentialsRefused) and self._api_key is not None:
                raise
        return f"{self.base_url} answers"

    def _key(self, credential: Credential | None) -> Secret:
        if credential is not None:
            place = {"provider": self._provider, "base_url": self._base_url}
            return Secret(credential.revealed_to(**place, adapter=ADAPTER))
        if self._api_key is None:
            raise CredentialsRefused(
                f"there is no key for {self._provider}: set one, or give the call a credential",
                port=PORT,
                adapter=ADAPTER,
                code="credential_missing",
            )
        return self._api_key


async def _whole(answer: Answer, warnings: tuple[str, ...]) -> Completion:
    if answer.content_type == "text/html":
        raise corrupt("a web page answers in the provider's place: check the base URL", status=200)
    found = decode_completion(await answer.read_all(), warnings=warnings)
    if isinstance(found, ProviderFault):
        raise provider_error(found)
    return found
