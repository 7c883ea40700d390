"""Answers that aiohttp reads: piece by piece, and what it means when they break."""

import asyncio

import aiohttp

from tollkeeper.adapters.wire.causes import without_frames
from tollkeeper.adapters.wire.faults import ProviderFault
from tollkeeper.domain.errors import CorruptResponse, PortError, Unavailable
from tollkeeper.domain.errors import Timeout as PortTimeout

_GRACE = 0.05  # seconds for the end of an answer whose content is complete


class Answer:
    """One answer, read piece by piece; what came before a break is given before the break."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        *,
        idle: float | None,
        largest: int,
        port: str,
        adapter: str,
    ) -> None:
        self.port = port
        self.adapter = adapter
        self.status = response.status
        self.headers = response.headers
        self.content_type = response.content_type
        self._content = response.content
        self._idle = idle
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
            piece = self._content.read_nowait()
            if not piece and not self._content.at_eof():
                # aiohttp's own timeout stops counting when it meets a broken chunk.
                async with asyncio.timeout(self._idle):
                    piece = await self._content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._broken = transport_error(error, port=self.port, adapter=self.adapter)
            piece = self._held_back()
        if self._broken is not None and not piece:
            raise self._broken
        self._left -= len(piece)
        if self._left < 0:
            raise CorruptResponse(
                "the provider's answer is larger than the adapter reads",
                port=self.port,
                adapter=self.adapter,
            )
        return piece

    def _held_back(self) -> bytes:
        """Return what aiohttp received before the connection broke, and would not give any more."""
        # aiohttp takes None to clear the error, though its types do not say so.
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


def transport_error(error: Exception, *, port: str, adapter: str) -> PortError:
    """Make the error for a failure of the network, with *error* as its cause."""
    fault: PortError
    cause: Exception = error
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ClientConnectorCertificateError):
        text = "no secure connection to the provider: its certificate or TLS set-up is refused"
        fault = Unavailable(text, port=port, adapter=adapter, code="tls_failed")
    elif isinstance(error, aiohttp.ConnectionTimeoutError):
        fault = PortTimeout("connecting to the provider took too long", port=port, adapter=adapter)
    elif isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL):
        fault = Unavailable("the provider cannot be reached", port=port, adapter=adapter)
    elif isinstance(error, TimeoutError):
        text = "the provider did not answer in time"
        fault = PortTimeout(text, port=port, adapter=adapter, ambiguous=True)
    elif isinstance(error, aiohttp.ClientResponseError):
        text = "the provider's answer is not HTTP as it should be"
        fault = CorruptResponse(text, port=port, adapter=adapter)
        # aiohttp's own error shows the headers that were sent, and so the key.
        cause = ProviderFault(status=error.status, text=error.message)
    else:
        text = "the connection to the provider broke off"
        fault = Unavailable(text, port=port, adapter=adapter, ambiguous=True)
    fault.__cause__ = without_frames(cause)
    return fault
