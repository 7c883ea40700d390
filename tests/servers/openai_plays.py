"""How the server behaves, by the name of the model that is asked for."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.servers.http_player import Ending, Play
from tests.servers.openai_answers import (
    Json,
    call_chunks,
    called_tools,
    chunk,
    chunks,
    completion,
    error,
    event,
    usage_of,
)

SECRET_WORDS = "the provider's own words, with a part of the key: sk-wrong"
"""What every error body says; it must not be seen by the caller."""
_DONE = event("[DONE]")
_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def _events(*packets: bytes | float, ending: Ending = "whole") -> Play:
    return Play(packets, content_type="text/event-stream; charset=utf-8", ending=ending)


def _json(body: Json | bytes | str, *, status: int = 200, **headers: str) -> Play:
    data = (
        body
        if isinstance(body, bytes)
        else (body if isinstance(body, str) else json.dumps(body)).encode()
    )
    return Play((data,), status=status, headers=headers, framing="length")


def _written(body: Json) -> list[bytes]:
    return [event(data) for data in chunks(body)]


def normal(body: Json) -> Play:
    """Answer as it should be."""
    return _events(*_written(body), _DONE) if body.get("stream") else _json(completion(body))


def _every_byte(body: Json) -> Play:
    stream = b"".join([*_written(body), _DONE])
    return _events(*(stream[place : place + 1] for place in range(len(stream))))


def _tool_split(body: Json) -> Play:
    """Send the arguments of the call one character at a time."""
    found = [chunk({"role": "assistant", "content": None})]
    for index, call in enumerate(called_tools(body)):
        begin, *_ = call_chunks(index, call, [])
        pieces = [
            chunk({"tool_calls": [{"index": index, "function": {"arguments": character}}]})
            for character in call["function"]["arguments"]
        ]
        found += [begin, *pieces]
    found.append(chunk({}, "tool_calls"))
    return _events(*(event(data) for data in found), _DONE)


def _usage_everywhere(body: Json) -> Play:
    """Report the usage so far with every chunk, as some servers do."""
    found = chunks(body, usage=False)
    for count, data in enumerate(found):
        data["usage"] = usage_of(body, count)
    return _events(*(event(data) for data in found), _DONE)


def _without_end(ending: Ending, *, reason: bool = False) -> Callable[[Json], Play]:
    def play(body: Json) -> Play:
        kept = _written(body)[: -1 if reason else 3]
        if not body.get("stream"):
            kept = [json.dumps(completion(body)).encode()[:40]]
        return _events(*kept, 0.02, ending=ending)

    return play


def _broken_bytes(stream: bytes, whole: bytes) -> Callable[[Json], Play]:
    return lambda body: _events(stream) if body.get("stream") else _json(whole)


def _fault_inside(body: Json) -> Play:
    fault = error(SECRET_WORDS, kind="server_error", code="server_error")
    if not body.get("stream"):
        return _json(fault)
    return _events(*_written(body)[:3], event(fault.decode()))


def _status(name: str) -> Play:
    """Answer with the status in *name*: ``status-429``, ``status-429-seconds``, …"""
    _, status, *how = name.split("-")
    now = datetime.now(UTC)
    later = {
        "date": format_datetime(now),
        "retry-after": format_datetime(now + timedelta(minutes=1)),
    }
    headers: Mapping[str, Mapping[str, str]] = {
        "seconds": {"retry-after": "7"},
        "date": later,
        "ms": {"retry-after-ms": "1500", "retry-after": "9"},
        "nonsense": {"retry-after": "soon"},
    }
    chosen = headers[how[0]] if how else {}
    if int(status) < 400:
        return _json("", status=int(status), location="http://127.0.0.1:9/v1/elsewhere")
    return _json(error(SECRET_WORDS, kind="", code=None), status=int(status), **chosen)


def _endless_line(body: Json) -> Play:
    return _events(*_written(body)[:2], *(b"x" * 65_536 for _ in range(400)), ending="stall")


def _html(_: Json) -> Play:
    return Play((b"<html><h1>Welcome to nginx!</h1></html>",), content_type="text/html")


PLAYS: Mapping[str, Callable[[Json], Play]] = {
    "echo": normal,
    "every-byte": _every_byte,
    "tool-split": _tool_split,
    "usage-absent": lambda body: (
        _events(*(event(d) for d in chunks(body, usage=False)), _DONE)
        if body.get("stream")
        else _json({k: v for k, v in completion(body).items() if k != "usage"})
    ),
    "usage-null": lambda body: (
        _events(*(event({**d, "usage": None}) for d in chunks(body, usage=False)), _DONE)
        if body.get("stream")
        else _json({**completion(body), "usage": None})
    ),
    "usage-everywhere": _usage_everywhere,
    "no-done": lambda body: _events(*_written(body)),
    "no-last-line-end": lambda body: _events(*_written(body)[:-1], _written(body)[-1].strip()),
    "lingers": lambda body: _events(*_written(body), _DONE, ending="stall"),
    "keep-alive": lambda body: _events(
        b": ping\n\n", *(part for e in _written(body) for part in (b": ping\n\n", e)), _DONE
    ),
    "crlf": lambda body: _events(*(e.replace(b"\n", b"\r\n") for e in [*_written(body), _DONE])),
    "not-streamed": lambda body: _json(completion(body)),
    "slow": lambda body: (
        _events(*(p for e in _written(body) for p in (0.02, e)), _DONE)
        if body.get("stream")
        else Play((0.2, json.dumps(completion(body)).encode()))
    ),
    "reset": _without_end("reset"),
    "reset-after-reason": _without_end("reset", reason=True),
    "reset-at-once": lambda _: Play((0.02,), head=False, ending="reset"),
    "cut": _without_end("cut"),
    "cut-at-once": lambda _: Play(head=False, ending="cut"),
    "early-end": _without_end("whole"),
    "stall": _without_end("stall"),
    "stall-at-once": lambda _: Play(head=False, ending="stall"),
    "invalid-json": _broken_bytes(b"data: {nonsense\n\n", b"{nonsense"),
    "no-choices": _broken_bytes(event({"id": "x"}) + _DONE, b'{"id": "x", "object": "x"}'),
    "empty-choices": _broken_bytes(event({"choices": []}) + _DONE, b'{"choices": []}'),
    "no-reason": _broken_bytes(
        event(chunk({"content": "Hello"})) + _DONE,
        b'{"choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": null}]}',
    ),
    "html": _html,
    "fault-inside": _fault_inside,
    "endless-line": _endless_line,
    "not-http": lambda _: Play((b"SSH-2.0-OpenSSH_9.2\r\n\r\n",), raw=True),
    "bad-chunk": lambda _: Play((_CHUNKED + b"ZZZ\r\nnonsense\r\n",), raw=True),
    "bad-later-chunk": lambda _: Play((_CHUNKED, 0.02, b"ZZZ\r\nnonsense\r\n"), raw=True),
}


def play_for(model: str, body: Json) -> Play:
    """Find what to do with *body*; a model that nobody knows is not found."""
    if model.startswith("status-"):
        return _status(model)
    if model.startswith("error-"):
        return _json(error(SECRET_WORDS, code=model.removeprefix("error-")), status=400)
    if model in PLAYS:
        return PLAYS[model](body)
    return _json(error(SECRET_WORDS, code="model_not_found"), status=404)
