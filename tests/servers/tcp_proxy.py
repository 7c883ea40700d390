"""A TCP proxy on loopback that delays what a server answers, swallows it, or breaks off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto

from attrs import define, field


class Fault(Enum):
    """What becomes of an answer. The server has done what was asked in any case."""

    NONE = auto()
    DELAYED = auto()
    SWALLOWED = auto()
    """It is read and passed to nobody; the connection stays open."""
    RESET = auto()
    """The connection is reset where the answer was due."""


@define(eq=False)
class _Link:
    """One connection that the proxy passes on."""

    from_client: asyncio.StreamReader
    to_client: asyncio.StreamWriter
    from_server: asyncio.StreamReader
    to_server: asyncio.StreamWriter
    marked: bool = False

    def reset(self) -> None:
        self.to_client.transport.abort()
        self.to_server.transport.abort()


@define(eq=False)
class TcpProxy:
    """Passes everything on, but for what a test tells it."""

    upstream: int
    port: int = 0
    fault: Fault = Fault.NONE
    marker: bytes = b""
    """Faults befall only connections on which a request with these bytes was seen."""
    times: int | None = None
    """How many answers the fault befalls before it is over; None for all."""
    delay: float = 0.0
    """By how many seconds answers are delayed."""
    faults: int = 0
    """How many answers a fault befell so far."""
    served: int = 0
    """How many connections were made so far."""
    _links: set[_Link] = field(factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.served += 1
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(reader, writer, from_server, to_server)
        self._links.add(link)
        try:
            await asyncio.gather(self._ask(link), self._answer(link))
        finally:
            link.reset()
            self._links.discard(link)

    @property
    def links(self) -> int:
        """How many connections are open."""
        return len(self._links)

    def break_off(self) -> None:
        """Reset every connection."""
        for link in self._links:
            link.reset()

    async def _ask(self, link: _Link) -> None:
        with suppress(OSError):
            while piece := await link.from_client.read(65_536):
                link.marked = link.marked or self.marker in piece
                link.to_server.write(piece)
        link.to_server.close()

    async def _answer(self, link: _Link) -> None:
        with suppress(OSError):
            while piece := await link.from_server.read(65_536):
                match self._fault_of(link):
                    case Fault.RESET:
                        link.reset()
                        return
                    case Fault.SWALLOWED:
                        continue
                    case Fault.DELAYED:
                        await asyncio.sleep(self.delay)
                link.to_client.write(piece)
        link.to_client.close()

    def _fault_of(self, link: _Link) -> Fault:
        if self.fault is Fault.NONE or self.times == 0 or not link.marked:
            return Fault.NONE
        self.faults += 1
        if self.times is not None:
            self.times -= 1
        return self.fault


@asynccontextmanager
async def tcp_proxy(upstream: int) -> AsyncIterator[TcpProxy]:
    """Run a proxy before the server at port *upstream* of loopback."""
    proxy = TcpProxy(upstream)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.break_off()
        while proxy.links:
            await asyncio.sleep(0.001)
