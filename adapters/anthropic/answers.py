"""Answers from the network: read piece by piece, and what it means when they break."""

import asyncio
import ssl
from typing import TYPE_CHECKING

from tollkeeper.adapters.anthropic.faults import ADAPTER, PORT, corrupt
from tollkeeper.adapters.wire.causes import chain, without_frames
from tollkeeper.domain.errors import PortError, Rejected, Unavailable
from tollkeeper.domain.errors import Timeout as PortTimeout

if TYPE_CHECKING:
    import httpx2

_GRACE = 0.05  # seconds for the end of an answer whose content is complete
_BROKE_OFF = ("peer closed connection", "Server disconnected")


class Answer:
    """One answer with status 200, read piece by piece."""

    def __init__(self, response: "httpx2.Response", *, largest: int) -> None:
        self.content_type = response.headers.get("content-type", "").partition(";")[0].strip()
        self._response = response
        self._pieces = response.aiter_bytes()
        self._left = largest
        self.ended = False
        """All was read."""

    async def read(self) -> bytes:
        """Read what is there, or wait for more; empty at the end.

        Raises:
            Unavailable, Timeout: the connection broke, or stayed silent.
            CorruptResponse: the answer is larger than allowed, or no HTTP.
        """
        piece = b""
        fault = None
        try:
            while not piece:
                piece = await anext(self._pieces)
        except StopAsyncIteration:
            self.ended = True
            return b""
        except network_errors() as error:
            fault = transport_error(error)
        if fault is not None:
            raise fault  # outside the except, so that what holds our headers is not its context
        self._left -= len(piece)
        if self._left < 0:
            raise corrupt("the provider's answer is larger than the adapter reads")
        return piece

    async def read_all(self) -> bytes:
        """Read the whole body."""
        pieces: list[bytes] = []
        while piece := await self.read():
            pieces.append(piece)
        return b"".join(pieces)

    async def see_end(self) -> None:
        """Give an answer whose content is complete a moment to end, to keep its connection."""
        try:
            async with asyncio.timeout(_GRACE):
                while await self.read():
                    pass
        except (PortError, TimeoutError):
            return  # the connection is closed instead

    async def close(self) -> None:
        """Close the connection, unless the answer was read to its end."""
        await self._pieces.aclose()
        await self._response.aclose()


def network_errors() -> tuple[type[Exception], ...]:
    """Return what may be raised while something is sent or read."""
    import anthropic
    import httpx2

    known = (anthropic.AnthropicError, httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL)
    return (*known, OSError)


def transport_error(error: Exception) -> PortError:
    """Make the error for a failure of the network, with *error* as its cause.

    The cause is what the HTTP client said: the SDK's own exception, and the request that both
    keep, hold the key.
    """
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIConnectionError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    fault = _meaning(error)
    if isinstance(error, httpx2.RequestError):
        error.request = httpx2.Request("POST", "/")
    fault.__cause__ = without_frames(error)
    return fault


def _meaning(error: Exception) -> PortError:
    import httpx2

    failed_to_connect = isinstance(error, httpx2.ConnectError)
    if failed_to_connect and any(isinstance(inner, ssl.SSLError) for inner in chain(error)):
        text = "no secure connection to the provider: its certificate or TLS set-up is refused"
        return Unavailable(text, port=PORT, adapter=ADAPTER, code="tls_failed")
    if isinstance(error, httpx2.ConnectTimeout):
        return PortTimeout("connecting to the provider took too long", port=PORT, adapter=ADAPTER)
    if failed_to_connect or isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return Unavailable("the provider cannot be reached", port=PORT, adapter=ADAPTER)
    if isinstance(error, httpx2.TimeoutException | TimeoutError):
        return timed_out()
    if isinstance(error, httpx2.LocalProtocolError):
        return Rejected("the request cannot be sent as HTTP", port=PORT, adapter=ADAPTER)
    if isinstance(error, httpx2.DecodingError) or (
        isinstance(error, httpx2.RemoteProtocolError) and not str(error).startswith(_BROKE_OFF)
    ):
        return corrupt("the provider's answer is not HTTP as it should be")
    text = "the connection to the provider broke off"
    return Unavailable(text, port=PORT, adapter=ADAPTER, ambiguous=True)


def timed_out(error: Exception | None = None) -> PortTimeout:
    """Make the error for an answer that does not come, with *error* as its cause."""
    text = "the provider did not answer in time"
    fault = PortTimeout(text, port=PORT, adapter=ADAPTER, ambiguous=True)
    fault.__cause__ = None if error is None else without_frames(error)
    return fault
