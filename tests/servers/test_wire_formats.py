"""The wire formats themselves: streams say what whole bodies say, and faults are faults."""

import contextlib
import gzip
import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.servers.wire import FORMATS, Answer, Call, Json, Pools, WireFormat, scenarios
from tests.servers.wire.reading import Heard, read_stream, read_whole
from tests.servers.wire_server import WireServer, wire_server

KEY = "key-right"
TWO_CALLS = (
    Call("call_a", "get_weather", ('{"city"', ': "Zür', 'ich 🚠"}')),
    Call("call_b", "get_time", ('{"zone": ', "1}")),
)
ANSWERS = {
    "text": Answer(text=("Grüezi ", "世界 ", "🌍")),
    "nothing": Answer(),
    "calls": Answer(calls=TWO_CALLS, finish="tool_calls"),
    "text-and-call": Answer(text=("Look: ",), calls=TWO_CALLS[:1], finish="tool_calls"),
    "call-without-arguments": Answer(calls=(Call("call_a", "now"),), finish="tool_calls"),
    "reasoning": Answer(text=("Yes",), reasoning=("One ", "two"), signature="c2ln"),
    "pools": Answer(text=("Yes",), usage=Pools(100, 7, 900, 50, 60)),
    "length": Answer(text=("One ", "two"), finish="length"),
    "full": Answer(text=("One ", "two"), finish="length", window_full=True),
    "filtered": Answer(text=("One ",), finish="content_filter"),
    "refusal": Answer(refusal="I cannot help.", finish="refusal"),
    "paused": Answer(text=("One ",), finish="paused"),
    "logprobs": Answer(text=("One ", "two"), logprobs=(("One ", -0.1), ("two", -0.2))),
    "no-usage": Answer(text=("One",), usage=None),
    "usage-everywhere": Answer(text=("One ", "two"), usage_everywhere=True),
}
ASKS_USAGE: Json = {"stream_options": {"include_usage": True}}
EACH = pytest.mark.parametrize("spoken", FORMATS.values(), ids=FORMATS)
BOTH = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@EACH
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_stream_says_what_the_whole_body_says(spoken: WireFormat, answer: Answer) -> None:
    heard = Heard.of(spoken.heard(answer))
    assert read_whole(spoken.name, spoken.whole(answer, {})) == heard
    assert read_stream(spoken.name, b"".join(spoken.events(answer, ASKS_USAGE))) == heard


@EACH
def test_each_documented_error_has_a_body_of_json_with_words_of_its_own(
    spoken: WireFormat,
) -> None:
    for status in spoken.statuses:
        error = spoken.error(status, text="secret-words")
        assert error.status == status
        assert "secret-words" in json.dumps(json.loads(error.body))
    for kind in spoken.kinds:
        error = spoken.error(kind=kind, text="secret-words")
        assert "secret-words" in json.dumps(json.loads(error.body))
        assert b"secret-words" in spoken.error_event(kind, "secret-words")
    assert spoken.error(418).status == 418, "an undocumented one has the shape of the others"


@pytest.fixture(params=FORMATS)
def server(request: pytest.FixtureRequest) -> Iterator[WireServer]:
    with wire_server(FORMATS[request.param], KEY) as server:
        yield server


def ask(
    server: WireServer,
    model: str = "echo",
    text: str = "Say one two",
    *,
    streamed: bool = False,
    key: str | None = KEY,
) -> tuple[http.client.HTTPResponse, bytes]:
    """Send a minimal request, without an SDK, and read the answer to its end."""
    name = server.format.name
    turn = {"role": "user", "content": text}
    body: dict[str, Any] = {"model": model, "messages": [turn], "max_tokens": 64}
    headers = {"content-type": "application/json"}
    path = f"{server.format.root}/chat/completions"
    if name == "anthropic":
        path = "/v1/messages"
        headers |= {"anthropic-version": "2023-06-01"} | ({"x-api-key": key} if key else {})
    elif name == "gemini-native":
        path = f"/v1beta/models/{model}:" + (
            "streamGenerateContent?alt=sse" if streamed else "generateContent"
        )
        body = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
        headers |= {"x-goog-api-key": key} if key else {}
    else:
        headers |= {"authorization": f"Bearer {key}"} if key else {}
    if streamed and name != "gemini-native":
        body["stream"] = True
    connection = http.client.HTTPConnection(urlsplit(server.base_url).netloc, timeout=20)
    with contextlib.closing(connection):
        connection.request("POST", path, json.dumps(body).encode(), headers)
        with connection.getresponse() as response:
            return response, response.read()


def heard(server: WireServer, body: bytes, *, streamed: bool) -> Heard:
    read = read_stream if streamed else read_whole
    return read(server.format.name, body)


@BOTH
def test_the_echo_says_the_last_text_again(server: WireServer, streamed: bool) -> None:
    for model in ("echo", "openai/echo", "router/openai/echo"):
        _, body = ask(server, model, "Grüezi 世界 🌍", streamed=streamed)
        answer = heard(server, body, streamed=streamed)
        assert (answer.text, answer.finish) == ("Grüezi 世界 🌍", "stop")


@BOTH
def test_an_unknown_model_and_a_wrong_key_are_refused(server: WireServer, streamed: bool) -> None:
    response, body = ask(server, "no-such-model", streamed=streamed)
    assert (response.status, body) == _error(server, "unknown_model")
    for key, kind in (("wrong", "invalid_key"), (None, "no_key")):
        response, body = ask(server, key=key, streamed=streamed)
        assert (response.status, body) == _error(server, kind)


def _error(server: WireServer, kind: Any) -> tuple[int, bytes]:
    error = server.format.error(kind=kind)
    return error.status, error.body


WHOLE_ANSWERS = {
    "answered": scenarios.answered(),
    "every-byte": scenarios.every_byte(),
    "slow-headers": scenarios.slow_headers(0.05),
    "usage-everywhere": scenarios.usage_everywhere(),
    "big": scenarios.big_answer(300_000),
    "many": scenarios.many_chunks(300),
    "parallel": scenarios.parallel_tools("one", "two", "three"),
    "split": scenarios.split_arguments(Answer(calls=TWO_CALLS, finish="tool_calls")),
    "gzip": scenarios.gzipped(),
    "no-usage": scenarios.no_usage(),
}


@BOTH
@pytest.mark.parametrize("scenario", WHOLE_ANSWERS)
def test_an_odd_but_whole_answer_can_be_read(
    server: WireServer, scenario: str, streamed: bool
) -> None:
    server.script("scripted", WHOLE_ANSWERS[scenario])
    response, body = ask(server, "scripted", streamed=streamed)
    if scenario == "gzip":
        assert response.headers["content-encoding"] == "gzip"
        body = gzip.decompress(body)
    answer = heard(server, body, streamed=streamed)
    expected = {"parallel": 3, "split": 2}.get(scenario, 0)
    assert len(answer.calls) == expected
    assert answer.text or expected
    if scenario == "big":
        assert len(answer.text) == 300_000


def test_a_stream_breaks_off_after_any_event(server: WireServer) -> None:
    server.script("whole", scenarios.answered())
    _, whole = ask(server, "whole", streamed=True)
    events = len([part for part in whole.split(b"\n\n") if part])
    for k in range(events):
        server.script("ends", scenarios.breaks("whole", k))
        _, body = ask(server, "ends", streamed=True)
        assert whole.startswith(body)
        assert len([part for part in body.split(b"\n\n") if part]) == k
        server.script("cut", scenarios.breaks("cut", k))
        with pytest.raises(http.client.IncompleteRead):
            ask(server, "cut", streamed=True)
    server.script("unended", scenarios.without_terminal_event())
    _, body = ask(server, "unended", streamed=True)
    assert body == b"\n\n".join(whole.split(b"\n\n")[:-2]) + b"\n\n"


def test_faults_are_faults(server: WireServer) -> None:
    for ending in ("reset", "cut"):
        server.script("at-once", scenarios.at_once(ending))
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            ask(server, "at-once")
    server.script("bad", scenarios.invalid_utf8())
    with pytest.raises(UnicodeDecodeError):
        ask(server, "bad")[1].decode()
    server.script("bad", scenarios.invalid_json(2))
    with pytest.raises(json.JSONDecodeError):
        heard(server, ask(server, "bad", streamed=True)[1], streamed=True)
    server.script("page", scenarios.html())
    assert ask(server, "page")[0].headers["content-type"] == "text/html"
    server.script("inside", scenarios.error_inside(k=2))
    _, body = ask(server, "inside", streamed=True)
    assert body.endswith(server.format.error_event())


def test_a_status_comes_with_its_wait(server: WireServer) -> None:
    for status in server.format.statuses:
        server.script("failing", scenarios.status(status, wait="seconds"))
        response, body = ask(server, "failing")
        assert (response.status, response.headers["retry-after"]) == (status, "7")
        assert json.loads(body)
    for wait, name in (("date", "retry-after"), ("ms", "retry-after-ms")):
        server.script("failing", scenarios.status(429, wait=wait))  # type: ignore[arg-type]
        assert ask(server, "failing")[0].headers[name]
