"""The counting server counts, keeps its times, and ends with its user."""

import http.client
import json
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.servers.counting_server import CountingServer, counting_server
from tests.servers.wire.reading import read_stream, read_whole
from tests.servers.wire.sse import read_events

PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def server() -> Iterator[CountingServer]:
    with counting_server() as server:
        yield server


def ask(server: CountingServer, model: str, key: str = "a", *, streamed: bool = False) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(server.base_url).netloc, timeout=20)
    body = {"model": model, "stream": streamed, "stream_options": {"include_usage": True}}
    connection.request("POST", PATH, json.dumps(body), {"authorization": f"Bearer {key}"})
    with connection.getresponse() as response:
        found = response.read()
    connection.close()
    return found


def test_requests_are_counted_by_key_and_model(server: CountingServer) -> None:
    server.reset()
    for key, times in (("a", 3), ("b", 2)):
        for _ in range(times):
            assert read_whole("openai", ask(server, "echo", key)).usage is not None
    ask(server, "other", "b")
    assert server.seen() == {
        ("Bearer a", f"{PATH} echo"): 3,
        ("Bearer b", f"{PATH} echo"): 2,
        ("Bearer b", f"{PATH} other"): 1,
    }
    server.reset()
    assert server.seen() == {}


def test_each_chunk_says_when_it_was_written(server: CountingServer) -> None:
    before = time.perf_counter_ns()
    stream = ask(server, "stream-5-20", streamed=True)
    after = time.perf_counter_ns()
    answer = read_stream("openai", stream)
    times = [int(word) for word in answer.text.split()]
    assert len(times) == 5
    assert [before, *times, after] == sorted([before, *times, after])
    assert times[-1] - times[0] >= 70_000_000
    assert answer.finish == "stop"
    assert answer.usage is not None
    assert len(read_events(ask(server, "stream-100-0", streamed=True))) == 104


def test_connections_are_counted_and_a_stream_left_early_too(server: CountingServer) -> None:
    server.reset()
    open_ones = [
        http.client.HTTPConnection(urlsplit(server.base_url).netloc, timeout=20) for _ in range(5)
    ]
    for connection in open_ones:
        connection.request("POST", PATH, json.dumps({"model": "stream-99-1000", "stream": True}))
        connection.getresponse().read(10)
    during = server.connections()
    assert (during.open, during.streams) == (5, 5)
    assert during.most >= 5
    for connection in open_ones:
        connection.close()
    deadline = time.monotonic() + 5
    while server.connections().open and time.monotonic() < deadline:
        time.sleep(0.01)
    left = server.connections()
    assert (left.open, left.streams, left.abandoned) == (0, 0, 5)
