"""A TCP proxy on loopback that delays or swallows what the server answers, or breaks off.

It can speak TLS with its clients: the Redis of the wheel cannot.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from attrs import define, field


@define(eq=False)
class Proxy:
    """Passes everything on, but for what a test tells it."""

    upstream: int
    port: int = 0
    delay: float = 0.0
    """For how many seconds answers are kept back."""
    swallows: bool = False
    """Whether answers are read and passed to nobody."""
    breaks: bool = False
    """Whether the connection is reset where an answer is due: the command was done by then."""
    answers: int = 0
    """How many pieces of answers the server gave."""
    _open: set[asyncio.StreamWriter] = field(factory=set)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._open) // 2

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with suppress(OSError):
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.upstream)
            self._open |= {writer, to_server}
            try:
                await asyncio.gather(
                    self._pass(reader, to_server), self._pass_back(from_server, writer, to_server)
                )
            finally:
                self._open -= {writer, to_server}

    def close(self) -> None:
        """Break every connection."""
        for writer in self._open:
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65_536):
                writer.write(piece)
        writer.close()

    async def _pass_back(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        to_server: asyncio.StreamWriter,
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(65_536):
                self.answers += 1
                if self.breaks:
                    writer.transport.abort()
                    to_server.transport.abort()
                elif not self.swallows:
                    await asyncio.sleep(self.delay)
                    writer.write(piece)
        writer.close()


@asynccontextmanager
async def redis_proxy(upstream: int, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """Run a proxy before the server at port *upstream*."""
    proxy = Proxy(upstream)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.close()
        await asyncio.sleep(0.01)
