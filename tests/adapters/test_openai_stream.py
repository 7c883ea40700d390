"""A streamed answer from bytes to deltas, however the network cuts the bytes."""

import contextlib
import json
from collections.abc import Iterable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.servers.openai_answers import call_chunks, chunk, event
from tollkeeper.adapters.openai.dialects import COMPATIBLE, DIALECTS, OPENAI, Dialect
from tollkeeper.adapters.openai.stream_decoder import StreamDecoder
from tollkeeper.adapters.wire.sse import EventSplitter
from tollkeeper.domain.completion_builder import CompletionBuilder
from tollkeeper.domain.completions import Completion, Delta, FinishReason, TokenUsage
from tollkeeper.domain.errors import (
    CorruptResponse,
    PortError,
    Rejected,
    Throttled,
    TollkeeperError,
    Unavailable,
)
from tollkeeper.domain.messages import ReasoningPart, ToolCall

DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}


def events_in(pieces: Iterable[bytes], *, longest: int = 1_000) -> list[bytes]:
    splitter = EventSplitter("openai", longest)
    found = [event for piece in pieces for event in splitter.feed(piece)]
    return found + list(splitter.end())


def deltas_in(pieces: Iterable[bytes], *, dialect: Dialect = OPENAI) -> list[Delta]:
    decoder = StreamDecoder(dialect)
    found = [delta for piece in pieces for delta in decoder.feed(piece)]
    return found + list(decoder.end())


def added_up(deltas: Iterable[Delta]) -> Completion:
    builder = CompletionBuilder()
    for delta in deltas:
        builder.add(delta)
    return builder.build()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data:a\r\n\r\ndata:  b\r\n\r\n", [b"a", b" b"]),
        (b"data: a\rdata: b\r\r", [b"a\nb"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b": ping\n\n:\ndata: a\n: in between\ndata: b\n\n", [b"a\nb"]),
        (b"event: x\nid: 7\nretry: 10\ndata: a\ndatax: no\n\n", [b"a"]),
        (b"data\n\ndata:\n\n", [b"", b""]),
        (b"\n\n\n", []),
        (b"data: a\n", [b"a"]),
        (b"data: a", [b"a"]),
        (b"", []),
    ],
)
def test_events_are_found(stream: bytes, events: list[bytes]) -> None:
    assert events_in([stream]) == events
    assert events_in(stream[place : place + 1] for place in range(len(stream))) == events


@given(
    st.lists(st.sampled_from([b"data: a", b"data:", b": c", b"\r", b"\n", b"\r\n", b"\xc3", b""])),
    st.data(),
)
def test_any_cut_gives_the_same_events(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    assert events_in(_cut(stream, data)) == events_in([stream])


@given(st.lists(st.binary()))
def test_no_bytes_break_the_splitter(pieces: list[bytes]) -> None:
    assert all(isinstance(event, bytes) for event in events_in(pieces, longest=10**9))


def test_a_line_without_an_end_is_refused_and_what_came_before_it_is_not_lost() -> None:
    splitter = EventSplitter("openai", 1_000)
    seen = []
    with pytest.raises(CorruptResponse):  # noqa: PT012 - what is seen before counts too
        for piece in (b"data: a\n\n" + b"x" * 600, b"x" * 600):
            for found in splitter.feed(piece):
                seen.append(found)  # noqa: PERF402
    assert seen == [b"a"]


def test_lines_that_never_make_an_event_are_refused() -> None:
    splitter = EventSplitter("openai", 1_000)
    with pytest.raises(CorruptResponse):
        list(splitter.feed(b"data: x\n" * 1_000))
    comments = EventSplitter("openai", 1_000)
    for _ in range(1_000):
        assert list(comments.feed(b": ping\n")) == []


def a_stream() -> list[bytes]:
    call = {"id": "call_1", "function": {"name": "get_weather", "arguments": ""}}
    chunks = [
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning": "Denk nach 🤔"}),
        chunk({"content": "Grüezi, "}),
        chunk({"content": "世界 🌍"}),
        *call_chunks(0, call, ['{"city":', '"Zürich"}']),
        chunk({}, "tool_calls"),
        chunk(None, usage=USAGE),
    ]
    return [event(data) for data in chunks]


ANSWER = Completion(
    text="Grüezi, 世界 🌍",
    reasoning="Denk nach 🤔",
    tool_calls=(ToolCall("call_1", "get_weather", '{"city": "Zürich"}'),),
    finish_reason=FinishReason.TOOL_CALLS,
    usage=TokenUsage(input=5, output=3),
    model="echo-2001",
)


@given(st.data())
def test_any_cut_gives_the_same_deltas(data: st.DataObject) -> None:
    stream = b"".join([*a_stream(), DONE])
    deltas = deltas_in(_cut(stream, data))
    assert deltas == deltas_in([stream])
    assert added_up(deltas) == ANSWER


def test_bytes_one_by_one_give_the_same_deltas() -> None:
    stream = b"".join([*a_stream(), DONE])
    assert deltas_in(stream[at : at + 1] for at in range(len(stream))) == deltas_in([stream])


def test_usage_comes_once_and_last_wherever_the_provider_puts_it() -> None:
    everywhere = [
        event(chunk({"content": "a"}, usage={**USAGE, "completion_tokens": 1})),
        event(chunk({}, "stop", usage=USAGE)),
        event(chunk({}, "stop", usage=None)),
    ]
    deltas = deltas_in([*everywhere, DONE])
    assert [delta.usage for delta in deltas] == [None, None, TokenUsage(input=5, output=3)]
    assert [delta.finish_reason for delta in deltas] == [None, FinishReason.STOP, None]


def test_a_compatible_servers_stream_is_whole_without_done_or_last_line_end() -> None:
    thoughts = (ReasoningPart("Denk nach 🤔"),)
    whole = attrs.evolve(ANSWER, thoughts=thoughts)
    assert added_up(deltas_in(a_stream(), dialect=COMPATIBLE)) == whole
    cut = b"".join(a_stream()).rstrip(b"\n")
    assert added_up(deltas_in([cut], dialect=COMPATIBLE)) == whole


@pytest.mark.parametrize("name", sorted(DIALECTS.keys() - {"compatible"}))
def test_a_clean_end_before_the_terminal_event_is_an_error(name: str) -> None:
    decoder = StreamDecoder(DIALECTS[name])
    seen = [delta for piece in a_stream() for delta in decoder.feed(piece)]
    with pytest.raises(CorruptResponse):
        list(decoder.end())
    held_back = list(decoder.so_far())
    assert added_up([*seen, *held_back]).text == ANSWER.text, "what came is not lost"
    assert held_back[-1].usage == ANSWER.usage
    assert added_up(deltas_in([*a_stream(), DONE], dialect=DIALECTS[name])).text == ANSWER.text


def test_what_follows_done_is_not_read() -> None:
    assert added_up(deltas_in([*a_stream(), DONE, b"data: {nonsense\n\n"])) == ANSWER


@pytest.mark.parametrize("kept", range(7))
def test_a_stream_that_ends_early_is_corrupt_and_what_came_is_given(kept: int) -> None:
    decoder = StreamDecoder()
    seen = [delta for piece in a_stream()[:kept] for delta in decoder.feed(piece)]
    assert len(seen) == kept
    with pytest.raises(CorruptResponse):
        list(decoder.end())


def test_a_last_event_that_was_cut_is_corrupt() -> None:
    with pytest.raises(CorruptResponse):
        deltas_in([b"".join(a_stream())[:-20]])


def test_calls_that_a_provider_does_not_number_are_told_apart_by_their_ids() -> None:
    def piece(**call: Any) -> bytes:
        return event(chunk({"tool_calls": [call]}))

    stream = [
        piece(index=0, id="a", function={"name": "f", "arguments": '{"x":'}),
        piece(index=0, id="a", function={"name": "f", "arguments": "1}"}),
        piece(index=0, id="b", function={"name": "g", "arguments": "{}"}),
        piece(id="c", function={"name": "h", "arguments": ""}),
        piece(function={"arguments": "{}"}),
        event(chunk({}, "tool_calls")),
    ]
    deltas = deltas_in([*stream, DONE])
    calls = [ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"), ToolCall("c", "h", "{}")]
    assert list(added_up(deltas).tool_calls) == calls
    pieces = [piece for delta in deltas for piece in delta.tool_calls]
    assert [piece.id for piece in pieces] == ["a", "", "b", "c", ""]


def test_a_call_that_is_never_named_is_corrupt() -> None:
    nameless = event(chunk({"tool_calls": [{"index": 0, "id": "a", "function": {}}]}))
    with pytest.raises(CorruptResponse):
        deltas_in([nameless, event(chunk({}, "tool_calls")), DONE])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"message": "m", "type": "server_error", "code": None}, Unavailable),
        ({"message": "m", "type": "rate_limit_exceeded"}, Throttled),
        ({"message": "m", "code": 429}, Throttled),
        ({"message": "m", "code": 503}, Unavailable),
        ({"message": "m", "type": "invalid_request_error"}, Rejected),
        ("overloaded", Unavailable),
    ],
)
def test_an_error_inside_a_stream_comes_after_what_was_said(
    fault: object, expected: type[PortError]
) -> None:
    decoder = StreamDecoder()
    stream = b"".join([*a_stream()[:3], event({"error": fault})])
    seen = []
    with pytest.raises(expected) as error:  # noqa: PT012 - what is seen before counts too
        for delta in decoder.feed(stream):
            seen.append(delta)  # noqa: PERF402
    assert added_up(seen).text == "Grüezi, "
    assert error.value.ambiguous, "a part was made, and may be billed"


def test_usage_that_came_before_a_break_is_given() -> None:
    decoder = StreamDecoder()
    assert list(decoder.feed(event(chunk({"content": "a"}, usage=USAGE)))) == [
        Delta(text="a", model="echo-2001")
    ]
    assert list(decoder.so_far()) == [Delta(usage=TokenUsage(input=5, output=3))]
    assert list(decoder.so_far()) == []


@given(st.lists(st.binary() | st.sampled_from([*a_stream(), DONE, b"\n\n", b"data: {}\n\n"])))
def test_whatever_arrives_is_read_or_corrupt(pieces: list[bytes]) -> None:
    with contextlib.suppress(CorruptResponse):  # any other error fails the test
        assert added_up(deltas_in(pieces)).finish_reason is not None


@given(
    st.dictionaries(st.sampled_from(["message", "type", "code", "param", "status"]), st.text())
    | st.text(min_size=1)
    | st.integers(min_value=1)
)
def test_whatever_error_is_reported_is_typed(fault: object) -> None:
    body = json.dumps({"error": fault})
    if not fault:
        return
    with pytest.raises(TollkeeperError):
        deltas_in([f"data: {body}\n\n".encode()])


def _cut(stream: bytes, data: st.DataObject) -> list[bytes]:
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    return [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
