"""A front before the AWS server that answers some requests itself, late, or not at all.

It also does what KMS does and moto leaves out: a disabled key opens nothing (those that a test
puts into ``disabled``), a context's names and values are told apart, and what is encrypted anew
must be of the key that the request names as its source.
"""

import atexit
import contextlib
import hashlib
import http.client
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field, frozen

from tests.servers.aws_server import shared_aws_url

_ABORT = struct.pack("ii", 1, 0)
_PASSED_ON = ("Content-Type", "Authorization", "X-Amz-Date")
_KEYS = ("KeyId", "SourceKeyId", "DestinationKeyId")
_CONTEXTS = {"EncryptionContext", "SourceEncryptionContext", "DestinationEncryptionContext"}


@frozen
class Refusal:
    """An answer of the front's own: an error of AWS, or any *body*."""

    code: str = ""
    status: int = 400
    message: str = "told by the server"
    body: bytes | None = None

    def written(self) -> bytes:
        if self.body is not None:
            return self.body
        return json.dumps({"__type": self.code, "message": self.message}).encode()


@frozen
class Stall:
    """No answer as long as the front runs."""


@frozen
class Reset:
    """The connection is reset where an answer was due; the server was not asked."""


Fault = Refusal | Stall | Reset


@define(eq=False)
class AwsFront:
    """Passes everything on to *upstream*, but for the *faults* that come first."""

    upstream: str
    port: int = 0
    faults: "deque[Fault]" = field(factory=deque)
    """What befalls the next requests, one each."""
    always: Fault | None = None
    """What befalls every other request."""
    hook: Callable[[str], None] | None = None
    """Is called with each operation before it is passed on; may change what is behind."""
    asked: list[str] = field(factory=list)
    """The operations that were asked for."""
    keys: list[str] = field(factory=list)
    """The access keys that signed the requests."""
    disabled: set[str] = field(factory=set)
    """The ARNs of KMS keys that open nothing."""
    over: threading.Event = field(factory=threading.Event)

    def reset(self) -> None:
        """Forget what was asked, and have no fault."""
        self.faults.clear()
        self.asked.clear()
        self.keys.clear()
        self.always = self.hook = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave together: else the second waits for word of the first.
    wbufsize = -1
    disable_nagle_algorithm = True
    front: AwsFront

    def do_POST(self) -> None:
        front = self.front
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        front.asked.append(operation)
        front.keys.append(self.headers["Authorization"].partition("Credential=")[2].split("/")[0])
        match front.faults.popleft() if front.faults else front.always:
            case Refusal() as refusal:
                self._answer(refusal.status, refusal.written())
            case Stall():
                front.over.wait()
                self.close_connection = True
            case Reset():
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
                self.connection.close()
                self.close_connection = True
            case None:
                if front.hook is not None:
                    front.hook(operation)
                self._answer(*self._mended(operation, json.loads(body)))

    def _mended(self, operation: str, asked: dict[str, Any]) -> tuple[int, bytes]:
        """Pass on what is asked, and do what moto leaves out."""
        if {asked.get(name) for name in _KEYS} & self.front.disabled:
            return 400, Refusal("DisabledException").written()
        for name in _CONTEXTS & asked.keys():
            bound = json.dumps(asked[name], sort_keys=True).encode()
            asked[name] = {"bound": hashlib.sha256(bound).hexdigest()}
        if operation == "ReEncrypt":
            source = {"CiphertextBlob": asked["CiphertextBlob"], "KeyId": asked["SourceKeyId"]}
            source["EncryptionContext"] = asked["SourceEncryptionContext"]
            status, answer = self._pass_on("Decrypt", source)
            if status != 200:
                return status, answer
        return self._pass_on(operation, asked)

    def _pass_on(self, operation: str, asked: dict[str, Any]) -> tuple[int, bytes]:
        netloc = urlsplit(self.front.upstream).netloc
        headers = {name: self.headers[name] for name in _PASSED_ON}
        service = self.headers["X-Amz-Target"].rpartition(".")[0]
        headers["X-Amz-Target"] = f"{service}.{operation}"
        with contextlib.closing(http.client.HTTPConnection(netloc, timeout=30)) as connection:
            connection.request("POST", "/", json.dumps(asked).encode(), headers)
            with connection.getresponse() as answer:
                return answer.status, answer.read()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Write nothing: tests look at what is logged."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that leave."""


@contextlib.contextmanager
def aws_front(upstream: str) -> Iterator[AwsFront]:
    """Run a front before the server at *upstream*."""
    front = AwsFront(upstream)
    handler = type("_FrontOfOne", (_Front,), {"front": front})
    with _Server(("127.0.0.1", 0), handler) as server:
        front.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield front
        finally:
            front.over.set()
            server.shutdown()
            thread.join()


@cache
def shared_front(name: str = "") -> AwsFront:
    """Return the front called *name*, which the suites of this process share."""
    running = aws_front(shared_aws_url())
    front = running.__enter__()
    atexit.register(running.__exit__, None, None, None)
    return front
