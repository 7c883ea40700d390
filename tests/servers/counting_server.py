"""A cheap server in a process of its own: it counts requests and streams by the clock.

::

    with counting_server() as server:
        ...  # a client at server.base_url, for the model "echo" or "stream-22-50"
        assert server.seen() == {("Bearer sk-a", "/v1/chat/completions echo"): 1}
        assert server.connections().open == 0

It speaks the OpenAI format, takes any key and any model, and is made for many requests: 100,000
in a row, or 2,000 streams at once. ``stream-22-50`` streams 22 chunks, 50 ms apart; each says as
its text the time at which it was written, in nanoseconds of the system's monotonic clock, which
``time.perf_counter_ns`` of every process on the machine shows. Any other model answers at once.
``python -m tests.servers.counting_server --port 0`` prints its port, and ends with its stdin.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

_ROOT = Path(__file__).parents[2]
_TEXT = "counted"
_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def _chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
    body = {
        "id": "chatcmpl-counted",
        "object": "chat.completion.chunk",
        "created": 978_307_200,
        "model": "counted",
        "choices": choices,
        **more,
    }
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _choice(delta: dict[str, Any], reason: str | None = None) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": delta, "finish_reason": reason}]


_BEFORE, _AFTER = _chunk(_choice({"content": "@"})).split(b"@")
_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    + _framed(_chunk(_choice({"role": "assistant", "content": ""})))
)
_END = _framed(_chunk(_choice({}, "stop")))
_REPORT = _framed(_chunk([], usage=_USAGE))
_DONE = _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"
_MESSAGE = {"role": "assistant", "content": _TEXT}
_WHOLE = {
    "id": "chatcmpl-counted",
    "object": "chat.completion",
    "created": 978_307_200,
    "model": "counted",
    "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}],
    "usage": _USAGE,
}


def _response(value: Any, status: str = "200 OK") -> bytes:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


_WHOLE_RESPONSE = _response(_WHOLE)


@define
class _Counts:
    """What came in, over all connections."""

    seen: Counter[tuple[str, str]] = field(factory=Counter)
    open: int = 0
    most: int = 0
    streams: int = 0
    abandoned: int = 0


class _Counter(asyncio.Protocol):
    """One connection; its requests are answered one after the other."""

    def __init__(self, counts: _Counts) -> None:
        self._counts = counts
        self._received = b""
        self._timer: asyncio.TimerHandle | None = None
        self._streaming = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._counts.open += 1
        self._counts.most = max(self._counts.most, self._counts.open)

    def connection_lost(self, exc: Exception | None) -> None:
        self._counts.open -= 1
        if self._timer is not None:
            self._timer.cancel()
        if self._streaming:
            self._end_stream()
            self._counts.abandoned += 1

    def data_received(self, data: bytes) -> None:
        self._received += data
        while not self._streaming and self._answer_one():
            pass

    def _answer_one(self) -> bool:
        """Answer the request that is there; False if it is not whole."""
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return False
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): text for name, _, text in (li.partition(": ") for li in lines[1:])}
        size = int(headers.get("content-length", "0"))
        if len(rest) < size:
            return False
        body, self._received = rest[:size], rest[size:]
        method, path, _ = lines[0].split(" ")
        self._answer(method, path, headers.get("authorization", ""), body)
        return True

    def _answer(self, method: str, path: str, key: str, body: bytes) -> None:
        counts = self._counts
        if method == "GET" and path == "/seen":
            rows = [[*which, count] for which, count in counts.seen.items()]
            self._transport.write(_response(rows))
        elif method == "GET" and path == "/connections":
            # The one that asks is not counted.
            shown = {"open": counts.open - 1, "most": counts.most, "streams": counts.streams}
            self._transport.write(_response(shown | {"abandoned": counts.abandoned}))
        elif method == "POST" and path == "/reset":
            counts.seen.clear()
            counts.most, counts.abandoned = counts.open - 1, 0
            self._transport.write(_response({}))
        elif method == "POST":
            asked = json.loads(body)
            model = asked.get("model", "")
            counts.seen[key, f"{path} {model}"] += 1
            if asked.get("stream"):
                report = bool((asked.get("stream_options") or {}).get("include_usage"))
                self._begin_stream(model, report=report)
            else:
                self._transport.write(_WHOLE_RESPONSE)
        else:
            self._transport.write(_response({"error": {"message": path}}, "404 Not Found"))

    def _begin_stream(self, model: str, *, report: bool) -> None:
        _, _, rest = model.partition("stream-")
        count, _, interval = (rest or "2-0").partition("-")
        self._streaming = True
        self._counts.streams += 1
        self._transport.write(_HEAD)
        self._loop = asyncio.get_running_loop()
        self._left, self._step = int(count), int(interval or 0) / 1_000
        self._tail = _END + (_REPORT if report else b"") + _DONE
        self._due = self._loop.time()
        self._next()

    def _next(self) -> None:
        """Write what is due; without an interval, all of it."""
        while self._left:
            now = str(time.perf_counter_ns()).encode()
            self._transport.write(_framed(_BEFORE + now + b" " + _AFTER))
            self._left -= 1
            if self._step and self._left:
                self._due += self._step
                self._timer = self._loop.call_at(self._due, self._next)
                return
        self._end_stream()
        self._transport.write(self._tail)
        while not self._streaming and self._answer_one():
            pass

    def _end_stream(self) -> None:
        self._streaming = False
        self._counts.streams -= 1


@frozen
class Connections:
    """How many connections there are, and were at most; streams under way, and left early."""

    open: int
    most: int
    streams: int
    abandoned: int


@frozen
class CountingServer:
    """The server as tests see it."""

    port: int

    @property
    def base_url(self) -> str:
        """What a client is configured with."""
        return f"http://127.0.0.1:{self.port}/v1"

    def seen(self) -> dict[tuple[str, str], int]:
        """Count the requests by the authorization header, and the path with the model."""
        return {(key, which): count for key, which, count in self._ask("GET", "/seen")}

    def connections(self) -> Connections:
        """Count the connections, without the one that asks."""
        return Connections(**self._ask("GET", "/connections"))

    def reset(self) -> None:
        """Begin to count anew."""
        self._ask("POST", "/reset")

    def _ask(self, method: str, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path)
            with connection.getresponse() as response:
                return json.loads(response.read())


@contextlib.contextmanager
def counting_server() -> Iterator[CountingServer]:
    """Run the server in its own process until the block ends."""
    command = [sys.executable, "-m", "tests.servers.counting_server", "--port", "0"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("the counting server did not start")
            yield CountingServer(int(line))
        finally:
            process.stdin.close()


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(description="A server that counts.")
    parser.add_argument("--port", type=int, default=0)
    port: int = parser.parse_args().port
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    async def serve() -> None:
        loop, counts, ended = asyncio.get_running_loop(), _Counts(), asyncio.Event()
        server = await loop.create_server(
            lambda: _Counter(counts), "127.0.0.1", port, backlog=4_096
        )
        print(server.sockets[0].getsockname()[1], flush=True)

        def wait() -> None:
            sys.stdin.buffer.read()
            loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=wait, daemon=True).start()
        await ended.wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
