"""A real HTTP/1.1 server on loopback that plays answers packet by packet, in its own thread.

What a packet holds, when it goes out and how the answer ends are all the script's; what came in,
and whether the client left before the end, is recorded.
"""

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl

from attrs import Factory, define, field, frozen

_TLS_HELLO = b"\x16\x03"
Ending = Literal["whole", "cut", "reset", "stall"]


@frozen
class Play:
    """What the server does with one request.

    Each of *packets* is one write; a number is that many seconds of silence. An answer that
    ends *whole* is framed as HTTP asks; *cut* closes the connection early, *reset* breaks it,
    *stall* says nothing more until the client leaves. Without *head* not even a status goes out.
    *raw* replaces head and framing by the packets as they are.
    """

    packets: tuple[bytes | float, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    content_type: str = "application/json"
    framing: Literal["chunked", "length", "close"] = "chunked"
    ending: Ending = "whole"
    head: bool = True
    raw: bool = False
    head_after: float = 0.0
    """Seconds of silence before the head goes out."""


@define(eq=False)
class SeenRequest:
    """One request as it came in, and what became of it."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    connection: int
    """The number of the TCP connection: the same number, the same connection."""
    packets_sent: int = 0
    disconnected: bool = False
    """The client closed the connection before the answer had ended."""
    ended: threading.Event = field(factory=threading.Event, repr=False)
    """The answer ended, or the client left."""

    @property
    def route(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """What the path asks for after its question mark."""
        return dict(parse_qsl(self.path.partition("?")[2]))

    @property
    def json(self) -> dict[str, Any]:
        """The body, decoded."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    async def has_ended(self, *, within: float = 5.0) -> bool:
        """Wait, without blocking the loop, until the server is done with the request."""
        return await asyncio.to_thread(self.ended.wait, within)


Script = Callable[[SeenRequest], Play]


@define(eq=False)
class HttpPlayer:
    """The server as tests see it."""

    origin: str
    requests: list[SeenRequest] = Factory(list)

    @property
    def disconnects(self) -> list[SeenRequest]:
        """The requests whose client left before the answer had ended."""
        return [seen for seen in self.requests if seen.disconnected]

    @property
    def last(self) -> SeenRequest:
        """The request that came last."""
        return self.requests[-1]


@contextlib.contextmanager
def http_player(script: Script, *, port: int = 0) -> Iterator[HttpPlayer]:
    """Serve *script* on a free loopback port until the block ends."""
    ready = threading.Event()
    player = HttpPlayer("")
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        loops.append((loop, stop))
        connections: set[_Connection] = set()

        def connection() -> _Connection:
            return _Connection(script, player.requests, connections)

        server = await loop.create_server(connection, "127.0.0.1", port)
        player.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await stop.wait()
        server.close()
        tasks = [known.shut() for known in list(connections)]
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="http player", daemon=True)
    thread.start()
    try:
        if not ready.wait(10):
            raise RuntimeError("the test server did not start; is the port free?")
        yield player
    finally:
        for loop, stop in loops:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(stop.set)
        thread.join(10)


class _Connection(asyncio.Protocol):
    """One client's connection: its requests are answered one after the other."""

    _number = 0

    def __init__(
        self, script: Script, requests: list[SeenRequest], known: "set[_Connection]"
    ) -> None:
        _Connection._number += 1
        self.number = _Connection._number
        self._script = script
        self._requests = requests
        self._known = known
        self._received = bytearray()
        self._more = asyncio.Event()
        self._lost = False
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._known.add(self)
        self._task = asyncio.get_running_loop().create_task(self._serve(transport))

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._more.set()
        if self._received.startswith(_TLS_HELLO) and self._transport is not None:
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._known.discard(self)
        if self._task is not None:
            self._task.cancel()

    def shut(self) -> "asyncio.Task[None]":
        assert self._task is not None
        assert self._transport is not None
        self._transport.abort()
        self._task.cancel()
        return self._task

    async def _serve(self, transport: asyncio.Transport) -> None:
        async for seen in self._incoming():
            self._requests.append(seen)
            play = self._script(seen)
            try:
                await self._answer(transport, play, seen)
            except asyncio.CancelledError:
                seen.disconnected = self._lost
                raise
            finally:
                seen.ended.set()
            if play.ending != "whole" or play.framing == "close" or play.raw:
                transport.close()
                return

    async def _incoming(self) -> AsyncIterator[SeenRequest]:
        while True:
            head = (await self._until(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ")
            fields = (line.partition(": ") for line in head[1:] if line)
            headers = {name.lower(): text for name, _, text in fields}
            body = await self._exactly(int(headers.get("content-length", "0")))
            yield SeenRequest(method, path, headers, body, self.number)

    async def _until(self, separator: bytes) -> bytes:
        while separator not in self._received:
            await self._wait()
        end = self._received.index(separator) + len(separator)
        return await self._exactly(end)

    async def _exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            await self._wait()
        found = bytes(self._received[:size])
        del self._received[:size]
        return found

    async def _wait(self) -> None:
        self._more.clear()
        await self._more.wait()

    async def _answer(self, transport: asyncio.Transport, play: Play, seen: SeenRequest) -> None:
        if play.head_after:
            await asyncio.sleep(play.head_after)
        if play.head and not play.raw:
            transport.write(_head(play))
            await asyncio.sleep(0)
        for packet in play.packets:
            if isinstance(packet, float):
                await asyncio.sleep(packet)
                continue
            transport.write(packet if play.raw else _framed(packet, play))
            seen.packets_sent += 1
            await asyncio.sleep(0)  # each packet is a write of its own
        if play.ending == "stall":
            await asyncio.Event().wait()
        if play.ending == "reset":
            _reset(transport)
        if play.ending == "whole" and play.framing == "chunked" and not play.raw:
            transport.write(b"0\r\n\r\n")


def _head(play: Play) -> bytes:
    headers = {"content-type": play.content_type, **play.headers}
    if play.framing == "chunked":
        headers["transfer-encoding"] = "chunked"
    elif play.framing == "length":
        size = sum(len(packet) for packet in play.packets if isinstance(packet, bytes))
        headers["content-length"] = str(size)
    else:
        headers["connection"] = "close"
    lines = [f"HTTP/1.1 {play.status} Test", *(f"{name}: {text}" for name, text in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _framed(packet: bytes, play: Play) -> bytes:
    return b"%x\r\n%b\r\n" % (len(packet), packet) if play.framing == "chunked" else packet


def _reset(transport: asyncio.Transport) -> None:
    """Break the connection with RST; what was written before goes out first."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
