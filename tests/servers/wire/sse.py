"""Server-sent events, written and (for the tests of the servers) read again."""

import json
from typing import Any

from tests.servers.wire.answer import Json


def text_of(value: Any) -> str:
    """Write *value* as JSON, other scripts as they are."""
    return json.dumps(value, ensure_ascii=False)


def body_of(value: Any) -> bytes:
    """Write *value* as a body of JSON."""
    return text_of(value).encode()


def data(value: Any) -> bytes:
    """Write an event without a name; text goes out as it is."""
    return f"data: {value if isinstance(value, str) else text_of(value)}\n\n".encode()


def named(name: str, value: Json) -> bytes:
    """Write an event with a name."""
    return f"event: {name}\ndata: {text_of(value)}\n\n".encode()


def read_events(stream: bytes) -> list[tuple[str, str]]:
    """Read a whole stream: the name (or ``message``) and the data of each event.

    Follows https://html.spec.whatwg.org/multipage/server-sent-events.html; comments are left
    out, and so is an event that no empty line ends.
    """
    found: list[tuple[str, str]] = []
    name, lines = "message", list[str]()
    text = stream.decode().replace("\r\n", "\n").replace("\r", "\n")
    for line in text.split("\n")[:-1]:
        if not line:
            if lines:
                found.append((name, "\n".join(lines)))
            name, lines = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            lines.append(value)
    return found
