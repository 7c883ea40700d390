"""The connections of one adapter: to one base URL, with one key, in one event loop."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
from attrs import frozen

from tollkeeper.adapters.openai.faults import ADAPTER, PORT, ProviderFault, corrupt
from tollkeeper.domain.errors import ConfigurationError, PoolExhausted, PortError, Unavailable
from tollkeeper.domain.errors import Timeout as PortTimeout
from tollkeeper.domain.secret import Secret

_LARGEST_BYTES_BODY = 2**20  # aiohttp writes larger ones piece by piece only from a file object
_GRACE = 0.05  # seconds for the end of an answer whose content is complete


@frozen
class _Open:
    session: aiohttp.ClientSession
    slots: asyncio.Semaphore
    loop: asyncio.AbstractEventLoop


class Connections:
    """Sends requests to one base URL; the key goes nowhere else.

    Redirects are not followed, cookies not kept, proxies and .netrc not read from the
    environment. A failed request is not sent again.
    """

    def __init__(
        self,
        base_url: str,
        api_key: Secret | None,
        *,
        limit: int,
        connect_timeout: timedelta,
        largest_response: int,
    ) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._limit = limit
        self._connect_timeout = connect_timeout.total_seconds()
        self._largest = largest_response
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
        loop = asyncio.get_running_loop()
        if self._open is not None and self._open.loop is loop:
            return self._open
        if self._open is not None:
            if not self._open.loop.is_closed():
                raise ConfigurationError(
                    "this adapter is in use in another event loop: make one for each loop"
                )
            await self.close()
        session = aiohttp.ClientSession(
            # Places are given out by the semaphore, so that waiting for one can be told from
            # waiting for the network.
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            headers={"User-Agent": "tollkeeper", "Accept-Encoding": "identity"},
        )
        self._open = _Open(session, asyncio.Semaphore(self._limit), loop)
        return self._open

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        idle: timedelta | None = None,
        total: timedelta | None = None,
    ) -> "AsyncIterator[Answer]":
        """Send one request and lend its answer; leaving closes what was not read to its end.

        *idle* bounds the time without a byte, *total* the whole; both None is for ever.

        Raises:
            PoolExhausted: all connections stayed in use for as long as one may take to connect.
            Unavailable, Timeout, CorruptResponse: no answer came; ambiguous once it was sent.
        """
        opened = await self._opened()
        await self._take_slot(opened.slots)
        try:
            response = await self._send(opened.session, method, path, body, idle, total)
            try:
                yield Answer(response, self._largest)
            finally:
                response.close()  # at the end of its content aiohttp has taken the connection back
        finally:
            opened.slots.release()

    async def _take_slot(self, slots: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self._connect_timeout if slots.locked() else None):
                await slots.acquire()
        except TimeoutError as error:
            raise PoolExhausted(
                "all connections to the provider are in use: try again, or allow more",
                port=PORT,
                adapter=ADAPTER,
            ) from error

    async def _send(
        self,
        session: aiohttp.ClientSession,
        method: str,
        path: str,
        body: bytes | None,
        idle: timedelta | None,
        total: timedelta | None,
    ) -> aiohttp.ClientResponse:
        try:
            return await session.request(
                method,
                self._base_url + path,
                data=io.BytesIO(body) if body and len(body) > _LARGEST_BYTES_BODY else body,
                headers=self._headers(body),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None if total is None else total.total_seconds(),
                    sock_connect=self._connect_timeout,
                    connect=self._connect_timeout,
                    sock_read=None if idle is None else idle.total_seconds(),
                ),
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            fault = transport_error(error)
        raise fault  # outside the except, so that what holds our headers is not its context

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {} if body is None else {"Content-Type": "application/json"}
        if self._api_key is not None:
            headers["Authorization"] = f"Bearer {self._api_key.reveal()}"
        return headers


class Answer:
    """One answer, read piece by piece; what came before a break is given before the break."""

    def __init__(self, response: aiohttp.ClientResponse, largest: int) -> None:
        self.status = response.status
        self.headers = response.headers
        self.content_type = response.content_type
        self._content = response.content
        self._left = largest
        self._broken: PortError | None = None

    async def read(self) -> bytes:
        """Read what is there, or wait for more; empty at the end.

        Raises:
            Unavailable, Timeout: the connection broke, or stayed silent.
            CorruptResponse: the answer is larger than allowed.
        """
        if self._broken is not None:
            raise self._broken
        try:
            piece = await self._content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._broken = transport_error(error)
            piece = self._held_back()
        if self._broken is not None and not piece:
            raise self._broken
        self._left -= len(piece)
        if self._left < 0:
            raise corrupt("the provider's answer is larger than the adapter reads")
        return piece

    def _held_back(self) -> bytes:
        """Return what aiohttp received before the connection broke, and would not give any more."""
        self._content.set_exception(None)  # type: ignore[arg-type]
        try:
            return self._content.read_nowait()
        except TimeoutError:  # the time for the whole answer is over
            return b""

    async def read_all(self, *, most: int | None = None) -> bytes:
        """Read the whole body, or its first *most* bytes and a little more."""
        pieces: list[bytes] = []
        size = 0
        while piece := await self.read():
            pieces.append(piece)
            size += len(piece)
            if most is not None and size >= most:
                break
        return b"".join(pieces)

    async def see_end(self) -> None:
        """Give an answer whose content is complete a moment to end, to keep its connection."""
        if not self._content.is_eof():
            try:
                async with asyncio.timeout(_GRACE):
                    await self.read()
            except (PortError, TimeoutError):
                return  # the connection is closed instead


def transport_error(error: Exception) -> PortError:
    """Make the error for a failure of the network, with *error* as its cause."""
    fault: PortError
    cause: Exception = error
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ClientConnectorCertificateError):
        text = "no secure connection to the provider: its certificate or TLS set-up is refused"
        fault = Unavailable(text, port=PORT, adapter=ADAPTER, code="tls_failed")
    elif isinstance(error, aiohttp.ConnectionTimeoutError):
        fault = PortTimeout("connecting to the provider took too long", port=PORT, adapter=ADAPTER)
    elif isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL):
        fault = Unavailable("the provider cannot be reached", port=PORT, adapter=ADAPTER)
    elif isinstance(error, TimeoutError):
        text = "the provider did not answer in time"
        fault = PortTimeout(text, port=PORT, adapter=ADAPTER, ambiguous=True)
    elif isinstance(error, aiohttp.ClientResponseError):
        fault = corrupt("the provider's answer is not HTTP as it should be")
        # aiohttp's own error shows the headers that were sent, and so the key.
        cause = ProviderFault(status=error.status, text=error.message)
    else:
        text = "the connection to the provider broke off"
        fault = Unavailable(text, port=PORT, adapter=ADAPTER, ambiguous=True)
    fault.__cause__ = cause
    return fault
