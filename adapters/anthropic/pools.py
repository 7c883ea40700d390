"""Connections in several small pools. Imports the HTTP client: import it on first use.

The HTTP client's own pool looks at each of its connections, and probes the idle ones, before and
after every request; a thousand streams at once would spend most of their time there.
"""

import ssl
import time
from collections.abc import AsyncIterator, Callable

import httpx2
from attrs import define, field

_SIZE = 8
_KEPT_FOR = 60.0  # seconds that an idle connection stays open


@define(eq=False)
class _Pool:
    transport: httpx2.AsyncHTTPTransport
    busy: int = 0
    idle_since: float = 0.0


@define(eq=False)
class Pools(httpx2.AsyncBaseTransport):
    """Sends each request through the first pool that has room, and opens a new one if none has.

    So the last pools fall idle first; they are closed once they were idle for a minute.
    """

    _clock: Callable[[], float] = time.monotonic
    _tls: ssl.SSLContext = field(factory=lambda: httpx2.create_ssl_context(trust_env=False))
    _pools: list[_Pool] = field(factory=list)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send *request*; its place is free again once the response is closed."""
        await self._close_idle()
        pool = next((each for each in self._pools if each.busy < _SIZE), None) or self._new()
        pool.busy += 1
        try:
            response = await pool.transport.handle_async_request(request)
        except BaseException:
            self._leave(pool)
            raise
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Stream(response.stream, lambda: self._leave(pool))
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        while self._pools:
            await self._pools.pop().transport.aclose()

    def _new(self) -> _Pool:
        limits = httpx2.Limits(max_keepalive_connections=_SIZE, keepalive_expiry=_KEPT_FOR)
        transport = httpx2.AsyncHTTPTransport(verify=self._tls, trust_env=False, limits=limits)
        self._pools.append(_Pool(transport))
        return self._pools[-1]

    async def _close_idle(self) -> None:
        while len(self._pools) > 1:
            last = self._pools[-1]
            if last.busy or self._clock() - last.idle_since < _KEPT_FOR:
                return
            self._pools.pop()
            await last.transport.aclose()

    def _leave(self, pool: _Pool) -> None:
        pool.busy -= 1
        if not pool.busy:
            pool.idle_since = self._clock()


@define(eq=False)
class _Stream(httpx2.AsyncByteStream):
    """The body of a response, which calls *leave* once it is closed."""

    _inner: httpx2.AsyncByteStream
    _leave: Callable[[], None]
    _closed: bool = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._inner.__aiter__()

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            try:
                await self._inner.aclose()
            finally:
                self._leave()
