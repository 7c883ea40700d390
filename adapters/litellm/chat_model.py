"""Chat models of every provider whose format litellm translates."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from types import TracebackType
from typing import Self

from tollkeeper.adapters.litellm.connections import Connections
from tollkeeper.adapters.litellm.decoding import ChunkDecoder, decode_completion, decode_object
from tollkeeper.adapters.litellm.exchanges import alive
from tollkeeper.adapters.litellm.faults import ERRORS, PORT, provider_error
from tollkeeper.adapters.litellm.lines import Lines
from tollkeeper.adapters.litellm.options import (
    checked_base_url,
    checked_provider,
    own_credential,
    parse_url,
    usable,
)
from tollkeeper.adapters.litellm.outgoing import Outgoing
from tollkeeper.adapters.litellm.sealed import Sealed
from tollkeeper.adapters.litellm.styles import style_of
from tollkeeper.adapters.litellm.translation import Translation
from tollkeeper.adapters.litellm.watching import Watched
from tollkeeper.adapters.wire.answers import Answer
from tollkeeper.adapters.wire.exchanges import whole_body
from tollkeeper.adapters.wire.faults import ProviderFault
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completion_builder import as_deltas
from tollkeeper.domain.completions import Completion, Delta
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import ContentFiltered, TollkeeperError
from tollkeeper.domain.messages import user
from tollkeeper.domain.secret import Secret

_WHOLE = frozenset({"application/json", "text/html"})


class LitellmChatModel:
    """The models of one provider of litellm's at one base URL, with no environment.

    litellm writes requests and reads answers; it sends nothing, and none of its callbacks, caches
    or retries has a part in a call. It is imported with the first call.

    Args:
        base_url: what litellm calls ``api_base``, such as ``https://api.mistral.ai/v1``.
        api_key: sent to this base URL only; None where it comes with each call.
        provider: the provider's name, to which credentials are bound.
        litellm_provider: litellm's own name (prefix) for it; by default *provider*.
        connect_timeout: how long connecting, and waiting for a free connection, may take.
        idle_timeout: how long a stream may stay silent, before its first byte too.
        total_timeout: how long a whole answer may take.
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
        idle_timeout: timedelta = timedelta(minutes=2),
        total_timeout: timedelta = timedelta(minutes=10),
        connections: int = 100,
        largest_response: int = 64 * 1024 * 1024,
    ) -> None:
        self._provider = checked_provider(provider)
        self._litellm_provider = checked_provider(litellm_provider or provider)
        self._style = style_of(self._litellm_provider)
        self._base_url = checked_base_url(base_url)
        self._own = own_credential(self._provider, self._base_url, api_key)
        self._idle_timeout = idle_timeout
        self._total_timeout = total_timeout
        self._translation: Translation | None = None
        self._connections = Connections(
            self._base_url,
            limit=connections,
            connect_timeout=connect_timeout,
            largest_response=largest_response,
        )

    @classmethod
    def from_url(
        cls, url: str, *, api_key: Secret | None = None, provider: str = "litellm"
    ) -> Self:
        """Make one from ``litellm+https://host/path?provider=mistral`` or ``litellm+http://…``.

        The option ``provider`` is litellm's own name for it, by default *provider*. The options
        ``connect_timeout``, ``idle_timeout`` and ``total_timeout`` (seconds) and ``connections``
        may follow.

        Raises:
            ConfigurationError: the URL or the key cannot be right.
        """
        base_url, options = parse_url(url)
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

    async def complete(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> Completion:
        """Ask for a whole answer."""
        translation, outgoing = await self._prepared(request, credential, stream=False)
        async with self._sent(outgoing, total=self._total_timeout) as answer:
            return await self._whole(answer, translation, outgoing)

    async def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncGenerator[Delta, None]:
        """Ask for an answer in pieces."""
        translation, outgoing = await self._prepared(request, credential, stream=True)
        idle = self._idle_timeout if outgoing.streamed else None
        total = None if outgoing.streamed else self._total_timeout
        # No timeout and no cancel scope is held across a yield: each anext may come from
        # another task. The idle timeout is the connection's own.
        async with self._sent(outgoing, idle=idle, total=total) as answer:
            if not outgoing.streamed or answer.status != 200 or answer.content_type in _WHOLE:
                for delta in as_deltas(await self._whole(answer, translation, outgoing)):
                    yield delta
                return
            watched = Watched(self._style)
            lines = Lines(answer, self._style, watched)
            decoder = ChunkDecoder(
                watched, formed=outgoing.reading["json_mode"], warnings=outgoing.warnings
            )
            reader = lines.read()
            chunks = translation.chunks(outgoing, reader)
            try:
                while (chunk := await translation.next_chunk(chunks)) is not None:
                    if (piece := decoder.feed(chunk[0])) is not None:
                        yield piece
                lines.check()
                for delta in decoder.end():
                    yield delta
            except TollkeeperError as error:
                for delta in decoder.so_far():
                    yield delta
                failure = lines.failure or error
            else:
                await answer.see_end()
                return
            finally:
                await reader.aclose()
            raise failure

    async def health(self) -> str:
        """Ask the server for its models, and say that it answers.

        Raises:
            CredentialsRefused: it refuses the key.
            Unavailable, Timeout: it does not answer, or says that it is down.
            CorruptResponse: it redirects elsewhere.
        """
        headers = Sealed()
        if self._own is not None:
            ping = ChatRequest("health", [user("Say nothing.")], 1)
            headers = (await self._prepared(ping, None, stream=False))[1].headers
        path = "/v1/models" if self._style.route == "anthropic" else "/models"
        return await alive(
            self._connections, self._base_url, path, headers, total=self._total_timeout
        )

    async def _prepared(
        self, request: ChatRequest, credential: Credential | None, *, stream: bool
    ) -> tuple[Translation, Outgoing]:
        used = usable(
            credential or self._own, provider=self._provider, base_url=self._base_url, port=PORT
        )
        if self._translation is None:
            # Importing litellm takes seconds; the loop has other things to do.
            self._translation = await asyncio.to_thread(
                Translation, self._litellm_provider, self._style, self._base_url
            )
        return self._translation, self._translation.prepare(request, key=used.secret, stream=stream)

    def _sent(
        self, outgoing: Outgoing, *, total: timedelta | None, idle: timedelta | None = None
    ) -> AbstractAsyncContextManager[Answer]:
        return self._connections.request(
            "POST", outgoing.url, outgoing.body, headers=outgoing.headers, idle=idle, total=total
        )

    async def _whole(
        self, answer: Answer, translation: Translation, outgoing: Outgoing
    ) -> Completion:
        found = decode_object(await whole_body(answer, ERRORS))
        if isinstance(found, ProviderFault):
            raise provider_error(found, answer.headers)
        if isinstance(found, ContentFiltered):
            raise found
        watched = Watched(self._style)
        watched.look(found)
        response = translation.whole(outgoing, found)
        return decode_completion(
            response,
            watched,
            formed=outgoing.reading["json_mode"],
            warnings=outgoing.warnings,
        )
