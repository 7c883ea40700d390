"""TLS before a PostgreSQL: the one of the wheel speaks none, so a proxy does in its place."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_ASKS_FOR_TLS = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


@asynccontextmanager
async def postgres_over_tls(upstream: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """Run a proxy before the server at port *upstream* of loopback, and give its own port.

    Whoever does not ask for TLS is sent away, as by a server that takes ``hostssl`` only.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server: asyncio.StreamWriter | None = None
        try:
            if await reader.readexactly(8) != _ASKS_FOR_TLS:
                return
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(context)
            from_server, to_server = await asyncio.open_connection("127.0.0.1", upstream)
            await asyncio.gather(_pass_on(reader, to_server), _pass_on(from_server, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            if to_server is not None:
                to_server.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(65_536):
            target.write(piece)
            await target.drain()
    target.close()
