"""A chat server that costs next to nothing: it writes bytes that were rendered beforehand.

It speaks the chat-completions format, and that of messages at paths that end so; an answer has as
many words, and a stream as many chunks, as the request allows tokens.

It runs in a process of its own, so that the processor time of a contender is the contender's.
Each event of a stream is a write of its own, one turn of the event loop after the one before, so
that a client mostly reads them one by one, as it does from a model. There is no pause in between.
"""

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

from benchmarks import rendered

ROOT = Path(__file__).resolve().parent.parent
"""Where ``python -m benchmarks…`` finds this package."""
_TOKENS = re.compile(rb'"max_(?:completion_)?tokens": ?(\d+)')
_STREAMED = re.compile(rb'"stream": ?true')
_MOST_CHUNKS = 1000


class _Connection(asyncio.Protocol):
    """Answers one request after the other on one connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seen: Counter[str]) -> None:
        self._loop = loop
        self._seen = seen
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        _, found, length = head.lower().partition(b"content-length:")
        size = int(length.partition(b"\r\n")[0]) if found else 0
        if len(body) < size:
            return
        self._buffer = body[size:]
        path = head.split(b" ", 2)[1].decode()
        if path == "/seen":
            self._transport.write(rendered.answer(self._seen))
            return
        self._seen[path] += 1
        tokens = _TOKENS.search(body)
        chunks = min(int(tokens[1]), _MOST_CHUNKS) if tokens else 1
        answer = (rendered.anthropic if path.endswith("/messages") else rendered.openai)(chunks)
        if _STREAMED.search(body):
            self._stream(iter(answer.pieces))
        else:
            self._transport.write(answer.whole)

    def _stream(self, pieces: Iterator[bytes]) -> None:
        piece = next(pieces, None)
        if piece is not None and not self._transport.is_closing():
            self._transport.write(piece)
            self._loop.call_soon(self._stream, pieces)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    seen: Counter[str] = Counter()
    server = await loop.create_server(lambda: _Connection(loop, seen), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    # The parent closes our standard input, on purpose or by dying: then we end too.
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def running() -> Iterator[str]:
    """Run the server in a process of its own and lend its address, such as http://127.0.0.1:81."""
    command = [sys.executable, "-m", "benchmarks.upstream"]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


if __name__ == "__main__":
    asyncio.run(_serve())
