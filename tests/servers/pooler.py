"""A pooler in transaction mode on loopback: few server sessions, lent for one transaction each.

It does what PgBouncer and Supavisor do in that mode, as far as a client can tell. A session of the
server is lent at the first message of a transaction, and taken back when the server is ready
outside of one and nothing is under way; the session that rested longest is lent next, so that a
client does not meet the same one again while another is free. Nothing is reset in between: what a
client leaves in a session, the next one meets, and what it left there it does not find again.
Start-up parameters that it does not know are refused; what a server says to nobody, as
notifications are, is dropped; a session whose client left in the middle is closed, and another one
opened. Requests to cancel are passed on. It knows no TLS and no passwords.
"""

import asyncio
import itertools
import struct
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from urllib.parse import SplitResult, urlsplit

from attrs import define, field

_PROTOCOL, _SSL, _CANCEL = 196608, 80877103, 80877102
_KNOWN = frozenset({"user", "database", "client_encoding", "application_name"})
_Key = tuple[int, int]


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one message; return its type and the whole of it."""
    head = await reader.readexactly(5)
    return head[:1], head + await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)


def _packed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


@define(eq=False)
class _Session:
    """A session of the server, and who has it at the moment."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    key: _Key = (0, 0)
    client: "_Client | None" = None
    pumping: "asyncio.Task[None] | None" = None


@define(eq=False)
class _Client:
    """A client, and what it waits for."""

    pooler: "TransactionPooler"
    writer: asyncio.StreamWriter
    session: _Session | None = None
    under_way: int = 0
    """How often the server will yet say that it is ready."""
    unfinished: bool = False
    """Whether it has sent something after which it will send more."""

    def said(self, kind: bytes) -> None:
        """Note a message of the client: a query or a Sync makes the server say it is ready."""
        self.unfinished = kind not in (b"Q", b"S")
        self.under_way += not self.unfinished

    def answered(self, kind: bytes, whole: bytes) -> None:
        """Pass an answer on; give the session back if that was the last of a transaction."""
        self.writer.write(whole)
        if kind != b"Z":
            return
        self.under_way -= 1
        if whole[5:6] == b"I" and not self.under_way and not self.unfinished and self.session:
            session, self.session = self.session, None
            self.pooler.give_back(session)


@define(eq=False)
class TransactionPooler:
    """Lends *size* sessions of the database at *url*, each for one transaction, in turn."""

    url: str
    size: int
    port: int = 0
    lent: int = 0
    """How often a session was lent, so how many transactions there were."""
    named: int = 0
    """How many prepared statements with a name clients made."""
    replaced: int = 0
    """How many sessions were closed because their client left in the middle."""
    _free: deque[_Session] = field(factory=deque)
    _waiting: "deque[asyncio.Future[_Session]]" = field(factory=deque)
    _sessions: set[_Session] = field(factory=set)
    _clients: dict[_Key, _Client] = field(factory=dict)
    _numbers: Iterator[int] = field(factory=lambda: itertools.count(1))
    _parameters: bytes = b""
    _closing: bool = False

    @property
    def sessions(self) -> int:
        """How many sessions the server has for it."""
        return len(self._sessions)

    def through(self, options: str) -> str:
        """Return the URL by which clients come, with *options*."""
        parts = self._parts
        return f"postgresql://{parts.username}@127.0.0.1:{self.port}{parts.path}?{options}"

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    async def open(self) -> None:
        """Open the sessions."""
        for _ in range(self.size):
            await self._open_session()

    async def _open_session(self) -> None:
        parts = self._parts
        session = _Session(*await asyncio.open_connection(parts.hostname, parts.port))
        words = ("user", parts.username or "", "database", parts.path[1:])
        body = b"".join(word.encode() + b"\0" for word in words) + b"\0"
        session.writer.write(struct.pack("!II", len(body) + 8, _PROTOCOL) + body)
        kind, said = b"", b""
        while kind != b"Z":
            kind, whole = await _message(session.reader)
            assert kind != b"E", whole
            if kind == b"S":
                said += whole
            elif kind == b"K":
                session.key = struct.unpack("!II", whole[5:13])
        self._parameters = said
        self._sessions.add(session)
        session.pumping = asyncio.ensure_future(self._pump(session))
        self.give_back(session)

    async def _pump(self, session: _Session) -> None:
        """Hand over what the server says to whoever has the session."""
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                kind, whole = await _message(session.reader)
                if session.client is not None:
                    session.client.answered(kind, whole)
        self._sessions.discard(session)
        with suppress(ValueError):
            self._free.remove(session)
        if session.client is not None:
            session.client.writer.transport.abort()
        session.writer.transport.abort()
        if not self._closing:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._open_session()

    def give_back(self, session: _Session) -> None:
        """Take *session* back, and lend it to whoever has waited longest."""
        session.client = None
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(session)
                return
        self._free.append(session)

    async def _borrow(self, client: _Client) -> _Session:
        if self._free:
            session = self._free.popleft()
        else:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            session = await waiting
        self.lent += 1
        session.client, client.session = client, session
        return session

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        client, key = _Client(self, writer), (next(self._numbers), 7)
        self._clients[key] = client
        try:
            with suppress(asyncio.IncompleteReadError, OSError):
                if await self._greet(reader, writer, key):
                    await self._transactions(reader, client)
        finally:
            del self._clients[key]
            if client.session is not None:
                # What it had begun is undone with the session.
                self.replaced += 1
                client.session.client = None
                client.session.writer.transport.abort()
            writer.close()

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: _Key
    ) -> bool:
        length, code = struct.unpack("!II", await reader.readexactly(8))
        if code == _SSL:
            writer.write(b"N")
            length, code = struct.unpack("!II", await reader.readexactly(8))
        body = await reader.readexactly(length - 8)
        if code == _CANCEL:
            await self._cancel(struct.unpack("!II", body))
            return False
        words = [word.decode() for word in body.rstrip(b"\0").split(b"\0")]
        asked = dict(zip(words[::2], words[1::2], strict=True))
        unknown = sorted(asked.keys() - _KNOWN)
        wanted = (self._parts.username, self._parts.path[1:])
        if code != _PROTOCOL or unknown or (asked.get("user"), asked.get("database")) != wanted:
            why = f"unsupported startup parameter: {unknown[0]}" if unknown else "no such database"
            fields = f"SFATAL\0VFATAL\0C08P01\0M{why}\0\0"
            writer.write(_packed(b"E", fields.encode()))
            await writer.drain()
            return False
        writer.write(_packed(b"R", struct.pack("!I", 0)) + self._parameters)
        writer.write(_packed(b"K", struct.pack("!II", *key)) + _packed(b"Z", b"I"))
        return True

    async def _transactions(self, reader: asyncio.StreamReader, client: _Client) -> None:
        while True:
            kind, whole = await _message(reader)
            if kind == b"X":
                return
            session = client.session or await self._borrow(client)
            client.said(kind)
            self.named += kind == b"P" and whole[5:6] != b"\0"
            session.writer.write(whole)
            await session.writer.drain()

    async def _cancel(self, key: _Key) -> None:
        client = self._clients.get(key)
        if client is None or client.session is None:
            return
        parts = self._parts
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(struct.pack("!IIII", 16, _CANCEL, *client.session.key))
        await writer.drain()
        writer.close()

    async def close(self) -> None:
        """End every client and every session."""
        self._closing = True
        for waiting in self._waiting:
            waiting.cancel()
        for client in list(self._clients.values()):
            client.writer.transport.abort()
        while self._clients:
            await asyncio.sleep(0.001)
        pumping = [session.pumping for session in self._sessions if session.pumping]
        for session in self._sessions:
            session.writer.transport.abort()
        await asyncio.gather(*pumping, return_exceptions=True)


@asynccontextmanager
async def transaction_pooler(url: str, *, size: int = 2) -> AsyncIterator[TransactionPooler]:
    """Run a pooler before the database at *url*, with *size* sessions."""
    pooler = TransactionPooler(url, size)
    await pooler.open()
    server = await asyncio.start_server(pooler.serve, "127.0.0.1", 0)
    pooler.port = server.sockets[0].getsockname()[1]
    try:
        yield pooler
    finally:
        server.close()
        await pooler.close()


@contextmanager
def pooler_aside(url: str, *, size: int = 2) -> Iterator[TransactionPooler]:
    """Run a pooler in a thread of its own, for tests with event loops of theirs."""
    started: list[TransactionPooler] = []
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        async with transaction_pooler(url, size=size) as pooler:
            started.append(pooler)
            ready.set()
            await stop.wait()

    def host() -> None:
        try:
            loop.run_until_complete(run())
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=host, daemon=True)
    thread.start()
    ready.wait(30)
    assert started, "the pooler did not start"
    try:
        yield started[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
