"""A chat server that costs next to nothing: it writes bytes that were rendered beforehand.

It runs in a process of its own, so that the processor time of a contender is the contender's.
Each event of a stream is a write of its own, one turn of the event loop after the one before, so
that a client mostly reads them one by one, as it does from a model. There is no pause in between.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

CHUNKS = 22
TEXT = "".join(f"word{number} " for number in range(CHUNKS))
INPUT_TOKENS = 11
OUTPUT_TOKENS = 22
ROOT = Path(__file__).resolve().parent.parent
"""Where ``python -m benchmarks…`` finds this package."""
_MODEL = "gpt-4o-mini"
_USAGE = {
    "prompt_tokens": INPUT_TOKENS,
    "completion_tokens": OUTPUT_TOKENS,
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}


def _whole() -> bytes:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": TEXT},
        "finish_reason": "stop",
    }
    return _answer({"object": "chat.completion", "choices": [choice], "usage": _USAGE})


def _answer(fields: Mapping[str, object]) -> bytes:
    said = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": _MODEL, **fields}
    body = json.dumps(said).encode()
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % len(body)
        + body
    )


def _events() -> Iterator[bytes]:
    def event(choices: list[object], usage: object = None) -> bytes:
        said = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": _MODEL,
            "choices": choices,
            "usage": usage,
        }
        return b"data: %s\n\n" % json.dumps(said).encode()

    for number in range(CHUNKS):
        delta = {"content": f"word{number} "}
        if number == 0:
            delta["role"] = "assistant"
        yield event([{"index": 0, "delta": delta, "finish_reason": None}])
    yield event([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    yield event([], _USAGE)
    yield b"data: [DONE]\n\n"


def _pieces() -> list[bytes]:
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    pieces = [b"%x\r\n%s\r\n" % (len(event), event) for event in _events()]
    return [head + pieces[0], *pieces[1:-1], pieces[-1] + b"0\r\n\r\n"]


WHOLE = _whole()
PIECES = _pieces()


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
            self._transport.write(_answer(self._seen))
            return
        self._seen[path] += 1
        if b'"stream":true' in body or b'"stream": true' in body:
            self._stream(iter(PIECES))
        else:
            self._transport.write(WHOLE)

    def _stream(self, pieces: Iterator[bytes]) -> None:
        piece = next(pieces, None)
        if piece is not None and not self._transport.is_closing():
            self._transport.write(piece)
            self._loop.call_soon(self._stream, pieces)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    seen: Counter[str] = Counter()
    server = await loop.create_server(lambda: _Connection(loop, seen), "127.0.0.1", 0, backlog=256)
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
