"""Connections of aiohttp: in one event loop, with a bound, and nothing taken from elsewhere."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
from attrs import frozen
from yarl import URL

from tollkeeper.adapters.wire.answers import Answer, transport_error
from tollkeeper.adapters.wire.causes import without_frames
from tollkeeper.adapters.wire.slots import Slots

_LARGEST_BYTES_BODY = 2**20  # aiohttp writes larger ones piece by piece only from a file object


@frozen
class _Open:
    session: aiohttp.ClientSession
    slots: Slots


class HttpConnections:
    """Sends requests, each with the headers that it brings.

    *port* and *adapter* are what errors say. Redirects are not followed, cookies not kept,
    proxies and .netrc not read from the environment. A failed request is not sent again.
    """

    def __init__(
        self,
        *,
        limit: int,
        connect_timeout: timedelta,
        largest_response: int,
        port: str,
        adapter: str,
    ) -> None:
        self._limit = limit
        self._patience = connect_timeout
        self._connect_timeout = connect_timeout.total_seconds()
        self._largest = largest_response
        self._port = port
        self._adapter = adapter
        self._open: _Open | None = None

    async def open(self) -> None:
        """Make ready to connect, in the running loop; nothing is sent yet."""
        await self._opened()

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        if self._open is not None:
            session, self._open = self._open.session, None
            await session.close()

    async def _opened(self) -> _Open:
        if self._open is not None:
            if self._open.slots.here():
                return self._open
            await self.close()
        slots = Slots(self._limit, patience=self._patience, port=self._port, adapter=self._adapter)
        session = aiohttp.ClientSession(
            # Places are given out by the slots, so that waiting for one can be told from
            # waiting for the network.
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            headers={"User-Agent": "tollkeeper", "Accept-Encoding": "identity"},
        )
        self._open = _Open(session, slots)
        return self._open

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: URL,
        body: bytes | None,
        *,
        headers: Callable[[], Mapping[str, str]],
        idle: timedelta | None,
        total: timedelta | None,
    ) -> AsyncIterator[Answer]:
        """Send one request and lend its answer; leaving closes what was not read to its end.

        *headers* makes the headers where they are sent, so that no frame keeps the key. *idle*
        bounds the time without a byte, *total* the whole; both None is for ever.

        Raises:
            PoolExhausted: all connections stayed in use for as long as one may take to connect.
            Unavailable, Timeout, CorruptResponse: no answer came; ambiguous once it was sent.
        """
        opened = await self._opened()
        await opened.slots.take()
        try:
            wait = None if idle is None else idle.total_seconds()
            whole = None if total is None else total.total_seconds()
            response = await self._send(opened.session, method, url, body, headers, wait, whole)
            try:
                yield Answer(
                    response,
                    idle=wait,
                    largest=self._largest,
                    port=self._port,
                    adapter=self._adapter,
                )
            finally:
                response.close()  # at the end of its content aiohttp has taken the connection back
        finally:
            opened.slots.release()

    async def _send(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: URL,
        body: bytes | None,
        headers: Callable[[], Mapping[str, str]],
        idle: float | None,
        total: float | None,
    ) -> aiohttp.ClientResponse:
        try:
            return await session.request(
                method,
                url,
                data=io.BytesIO(body) if body and len(body) > _LARGEST_BYTES_BODY else body,
                headers=headers(),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=total,
                    sock_connect=self._connect_timeout,
                    connect=self._connect_timeout,
                    sock_read=idle,
                ),
            )
        except asyncio.CancelledError as error:
            raise without_frames(error) from None  # aiohttp's frames hold our headers
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            fault = transport_error(error, port=self._port, adapter=self._adapter)
        raise fault  # outside the except, so that what holds our headers is not its context
