"""How a server behaves, right and wrong, in whatever format it speaks.

Each function makes a :data:`Scenario`; without an *answer* it works on the echo of what is asked.
The *k* of those that break off counts the events that go out whole before; an answer that is not
streamed breaks off in its middle.
"""

import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Literal

import attrs
from attrs import field, frozen

from tests.servers.http_player import Ending, Play, SeenRequest
from tests.servers.wire import sse
from tests.servers.wire.answer import Answer, Call
from tests.servers.wire.echo import echo
from tests.servers.wire.format import SECRET_WORDS, ErrorAnswer, Kind, WireFormat

_MOMENT = 0.02  # between what was sent last and what breaks, so that both do not arrive as one
_STREAM = "text/event-stream; charset=utf-8"
Wait = Literal["", "seconds", "date", "ms", "nonsense"]


@frozen
class Scene:
    """One request, and the format in which it is answered."""

    format: WireFormat
    seen: SeenRequest = field(repr=False)

    @property
    def streamed(self) -> bool:
        """Whether the answer is wanted in pieces."""
        return self.format.is_streamed(self.seen)

    @property
    def embeds(self) -> bool:
        """Whether embeddings are wanted."""
        return self.format.task(self.seen.method, self.seen.route) == "embed"

    def answer(self, given: Answer | None = None) -> Answer:
        """Return *given*, or the echo of what is asked."""
        return echo(self.format.asked(self.seen)) if given is None else given

    def whole(self, given: Answer | None = None) -> bytes:
        """Write the answer in one body."""
        if self.embeds:
            return self.format.embeddings(self.seen)
        return self.format.whole(self.answer(given), self.seen.json)

    def events(self, given: Answer | None = None) -> list[bytes]:
        """Write the answer as events."""
        return self.format.events(self.answer(given), self.seen.json)


Scenario = Callable[[Scene], Play]


def answered(answer: Answer | None = None) -> Scenario:
    """Answer as it should be."""

    def play(scene: Scene) -> Play:
        if scene.streamed:
            return stream(*scene.events(answer))
        return body_play(scene.whole(answer))

    return play


def every_byte(answer: Answer | None = None) -> Scenario:
    """Send each byte in a packet of its own."""

    def play(scene: Scene) -> Play:
        if scene.streamed:
            return stream(*_bytes_of(b"".join(scene.events(answer))))
        return Play(_bytes_of(scene.whole(answer)))

    return play


def split_arguments(answer: Answer | None = None) -> Scenario:
    """Send the arguments of each call one character at a time."""

    def play(scene: Scene) -> Play:
        said = scene.answer(answer)
        calls = tuple(attrs.evolve(call, arguments=tuple(call.whole)) for call in said.calls)
        return answered(attrs.evolve(said, calls=calls))(scene)

    return play


def parallel_tools(*names: str) -> Scenario:
    """Call each of *names* once, with its number as the argument ``n``."""
    calls = tuple(
        Call(f"call_{n}", name, ('{"n": ', f"{n}", "}"), signature="" if n else "c2ln")
        for n, name in enumerate(names or ("get_weather", "get_time"))
    )
    return answered(Answer(calls=calls, finish="tool_calls"))


def breaks(ending: Ending, k: int = 3, answer: Answer | None = None) -> Scenario:
    """Break off after the *k*-th event: ``cut``, ``reset``, ``stall``, or ``whole``.

    ``whole`` is a clean end of the stream, as if nothing were missing.
    """

    def play(scene: Scene) -> Play:
        if scene.streamed:
            return stream(*scene.events(answer)[:k], _MOMENT, ending=ending)
        whole = scene.whole(answer)
        return Play((whole[: len(whole) // 2], _MOMENT), ending=ending)

    return play


def without_terminal_event(answer: Answer | None = None) -> Scenario:
    """End cleanly before the terminal event; where there is none, before the reason."""

    def play(scene: Scene) -> Play:
        if scene.streamed:
            return stream(*scene.events(answer)[:-1])
        return body_play(scene.whole(answer)[:-1])

    return play


def slow_headers(seconds: float, answer: Answer | None = None) -> Scenario:
    """Say nothing at all for *seconds*, then answer as it should be."""
    return lambda scene: attrs.evolve(answered(answer)(scene), head_after=seconds)


def at_once(ending: Ending) -> Scenario:
    """Break off before a single byte: ``cut``, ``reset`` or ``stall``."""
    return lambda _: Play((_MOMENT,), head=False, ending=ending)


def invalid_json(k: int = 0) -> Scenario:
    """Send what is no JSON, after *k* events."""

    def play(scene: Scene) -> Play:
        if scene.streamed:
            return stream(*scene.events()[:k], sse.data("{nonsense"), *scene.events()[k:])
        return body_play(b"{nonsense")

    return play


def invalid_utf8() -> Scenario:
    """Answer with bytes that are no UTF-8, inside of a text."""

    def play(scene: Scene) -> Play:
        broken = attrs.evolve(scene.answer(), text=("bad-byte",)) if not scene.embeds else None
        if scene.streamed:
            return stream(*(e.replace(b"bad-byte", b"bad\xff\xfe") for e in scene.events(broken)))
        whole = scene.whole(broken)
        return body_play(whole.replace(b"bad-byte", b"bad\xff\xfe") if broken else b"\xff" + whole)

    return play


def gzipped(answer: Answer | None = None) -> Scenario:
    """Compress the answer, each event of a stream so that it can be read at once."""

    def play(scene: Scene) -> Play:
        packer = zlib.compressobj(wbits=31)
        headers = {"content-encoding": "gzip"}
        if not scene.streamed:
            packed = packer.compress(scene.whole(answer)) + packer.flush()
            return Play((packed,), headers=headers, framing="length")
        packets = [
            packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)
            for event in scene.events(answer)
        ]
        return attrs.evolve(stream(*packets, packer.flush()), headers=headers)

    return play


def big_answer(size: int = 10_000_000, piece: int = 65_536) -> Scenario:
    """Answer with *size* bytes of text."""
    text = tuple("x" * min(piece, size - place) for place in range(0, size, piece))
    return answered(Answer(text=text))


def many_chunks(count: int = 10_000) -> Scenario:
    """Answer with *count* short pieces."""
    return answered(Answer(text=tuple(f"{number} " for number in range(count))))


def html(status: int = 200) -> Scenario:
    """Answer with a web page, as a proxy does."""
    page = b"<html><h1>Welcome to nginx!</h1></html>"
    return lambda _: Play((page,), status=status, content_type="text/html", framing="length")


def no_usage(answer: Answer | None = None) -> Scenario:
    """Leave the usage out."""
    return lambda scene: answered(attrs.evolve(scene.answer(answer), usage=None))(scene)


def usage_everywhere(answer: Answer | None = None) -> Scenario:
    """Report the usage so far with each event."""

    def play(scene: Scene) -> Play:
        return answered(attrs.evolve(scene.answer(answer), usage_everywhere=True))(scene)

    return play


def status(number: int, *, wait: Wait = "", text: str = SECRET_WORDS) -> Scenario:
    """Answer with the documented error of *number*; *wait* says how Retry-After is written.

    ``seconds`` asks for 7 s, ``date`` for a minute, ``ms`` for 1.5 s, ``nonsense`` for ``soon``.
    """
    return lambda scene: error_play(scene.format.error(number, text=text), **waiting(wait))


def failing(kind: Kind, *, wait: Wait = "", text: str = SECRET_WORDS) -> Scenario:
    """Answer with the error that the provider has for *kind*, with its real status."""
    return lambda scene: error_play(scene.format.error(kind=kind, text=text), **waiting(wait))


def error_inside(kind: Kind = "overloaded", k: int = 3, *, text: str = SECRET_WORDS) -> Scenario:
    """Begin well, and fail after the *k*-th event; not streamed, fail in a body with 200."""

    def play(scene: Scene) -> Play:
        if scene.streamed:
            return stream(*scene.events()[:k], scene.format.error_event(kind, text))
        return body_play(scene.format.error(kind=kind, text=text).body)

    return play


def stream(*packets: bytes | float, ending: Ending = "whole") -> Play:
    """Send *packets* as a stream of events."""
    return Play(packets, content_type=_STREAM, ending=ending)


def body_play(body: bytes) -> Play:
    """Send *body* in one piece."""
    return Play((body,), framing="length")


def error_play(error: ErrorAnswer, **headers: str) -> Play:
    """Send *error*."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    headers = {**error.headers, **named}
    return Play((error.body,), status=error.status, headers=headers, framing="length")


def waiting(wait: Wait) -> Mapping[str, str]:
    """Write the headers that say how long to wait."""
    now = datetime.now(UTC)
    later = format_datetime(now + timedelta(minutes=1), usegmt=True)
    known: dict[Wait, dict[str, str]] = {
        "": {},
        "seconds": {"retry_after": "7"},
        "date": {"date": format_datetime(now, usegmt=True), "retry_after": later},
        "ms": {"retry_after_ms": "1500", "retry_after": "9"},
        "nonsense": {"retry_after": "soon"},
    }
    return known[wait]


def _bytes_of(whole: bytes) -> tuple[bytes, ...]:
    return tuple(whole[place : place + 1] for place in range(len(whole)))
