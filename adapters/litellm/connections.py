"""The connections of one adapter: to one server, in one event loop; each request has its key."""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
from attrs import frozen
from yarl import URL

from tollkeeper.adapters.litellm.answers import Answer, transport_error
from tollkeeper.adapters.litellm.faults import ADAPTER, PORT
from tollkeeper.adapters.litellm.sealed import Sealed
from tollkeeper.domain.errors import ConfigurationError, CredentialsRefused, PoolExhausted

_OF_THE_TRANSPORT = frozenset(
    {"accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
)
_LARGEST_BYTES_BODY = 2**20  # aiohttp writes larger ones piece by piece only from a file object


@frozen
class _Open:
    session: aiohttp.ClientSession
    slots: asyncio.Semaphore
    loop: asyncio.AbstractEventLoop


class Connections:
    """Sends requests to the server of one base URL; each brings its own key.

    *port* is what errors say. Redirects are not followed, cookies not kept, proxies and .netrc
    not read from the environment. A failed request is not sent again.
    """

    def __init__(
        self,
        base_url: str,
        *,
        limit: int,
        connect_timeout: timedelta,
        largest_response: int,
        port: str = PORT,
    ) -> None:
        self._origin = URL(base_url).origin()
        self._port = port
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
        url: str,
        body: bytes | None = None,
        *,
        headers: Sealed,
        idle: timedelta | None = None,
        total: timedelta | None = None,
    ) -> AsyncIterator[Answer]:
        """Send one request and lend its answer; leaving closes what was not read to its end.

        *idle* bounds the time without a byte, *total* the whole; both None is for ever.

        Raises:
            CredentialsRefused: *url* is at another server; nothing was sent.
            PoolExhausted: all connections stayed in use for as long as one may take to connect.
            Unavailable, Timeout, CorruptResponse: no answer came; ambiguous once it was sent.
        """
        place = URL(url, encoded=True)
        if place.origin() != self._origin:
            raise CredentialsRefused(
                "the key is bound to another server than the request; nothing was sent",
                port=self._port,
                adapter=ADAPTER,
                code="credential_bound_elsewhere",
            )
        opened = await self._opened()
        await self._take_slot(opened.slots)
        try:
            wait = None if idle is None else idle.total_seconds()
            whole = None if total is None else total.total_seconds()
            response = await self._send(opened.session, method, place, body, wait, whole, headers)
            try:
                yield Answer(response, idle=wait, largest=self._largest, port=self._port)
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
                port=self._port,
                adapter=ADAPTER,
            ) from error

    async def _send(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: URL,
        body: bytes | None,
        idle: float | None,
        total: float | None,
        headers: Sealed,
    ) -> aiohttp.ClientResponse:
        try:
            return await session.request(
                method,
                url,
                data=io.BytesIO(body) if body and len(body) > _LARGEST_BYTES_BODY else body,
                headers=_ours(headers.opened()),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=total,
                    sock_connect=self._connect_timeout,
                    connect=self._connect_timeout,
                    sock_read=idle,
                ),
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            fault = transport_error(error, port=self._port)
        raise fault  # outside the except, so that what holds our headers is not its context


def _ours(headers: Mapping[str, str]) -> dict[str, str]:
    """Leave out what the transport itself says."""
    kept = {n: v for n, v in headers.items() if n.lower() not in _OF_THE_TRANSPORT}
    return {**kept, "Content-Type": "application/json"}
