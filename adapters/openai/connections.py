"""The connections of one adapter: to one base URL; each request has its key."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from yarl import URL

from tollkeeper.adapters.openai.faults import ADAPTER
from tollkeeper.adapters.wire.answers import Answer
from tollkeeper.adapters.wire.connections import HttpConnections
from tollkeeper.adapters.wire.keys import revealed
from tollkeeper.domain.credentials import Credential


class Connections:
    """Sends requests to one base URL of one provider; no key that is bound elsewhere goes there.

    *own* is the credential of requests that bring none; *port* is what errors say.
    """

    def __init__(
        self,
        provider: str,
        base_url: str,
        own: Credential | None,
        *,
        limit: int,
        connect_timeout: timedelta,
        largest_response: int,
        port: str = "chat_model",
    ) -> None:
        self._provider = provider
        self._base_url = base_url
        self._own = own
        self._port = port
        self._urls: dict[str, URL] = {}
        self._http = HttpConnections(
            limit=limit,
            connect_timeout=connect_timeout,
            largest_response=largest_response,
            port=port,
            adapter=ADAPTER,
        )

    async def open(self) -> None:
        """Make ready to connect, in the running loop; nothing is sent yet."""
        await self._http.open()

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        await self._http.close()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        idle: timedelta | None = None,
        total: timedelta | None = None,
        credential: Credential | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AbstractAsyncContextManager[Answer]:
        """Send one request and lend its answer; leaving closes what was not read to its end.

        *idle* bounds the time without a byte, *total* the whole; both None is for ever.
        *credential* goes with it in the place of the adapter's own.

        Raises:
            CredentialsRefused: the credential is bound elsewhere; nothing was sent.
            PoolExhausted: all connections stayed in use for as long as one may take to connect.
            Unavailable, Timeout, CorruptResponse: no answer came; ambiguous once it was sent.
        """
        if credential is not None:
            self._revealed(credential)  # refused before a place is taken, and anything is sent
        bearer = credential or self._own
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(self._base_url + path)
        return self._http.request(
            method,
            url,
            body,
            headers=lambda: self._headers(body, bearer, headers),
            idle=idle,
            total=total,
        )

    def _headers(
        self, body: bytes | None, credential: Credential | None, more: Mapping[str, str] | None
    ) -> dict[str, str]:
        headers = dict(more) if more else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if credential is not None:
            headers["Authorization"] = f"Bearer {self._revealed(credential)}"
        return headers

    def _revealed(self, credential: Credential) -> str:
        return revealed(
            credential,
            provider=self._provider,
            base_url=self._base_url,
            port=self._port,
            adapter=ADAPTER,
        )
