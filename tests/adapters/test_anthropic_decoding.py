"""Answers as the Messages API gives them, whole and in events."""

import json
from typing import Any

import pytest

from tests.servers.wire import FORMATS, Answer, Call, Pools
from tollkeeper.adapters.anthropic.decoding import decode_completion
from tollkeeper.adapters.anthropic.stream_decoder import StreamDecoder
from tollkeeper.domain.completion_builder import CompletionBuilder
from tollkeeper.domain.completions import Completion, Delta, FinishReason
from tollkeeper.domain.errors import CorruptResponse, Unavailable
from tollkeeper.domain.messages import ReasoningPart, ToolCall

SPOKEN = FORMATS["anthropic"]
CALLS = (
    Call("call_a", "get_weather", ('{"city"', ': "Zürich 🚠"}')),
    Call("call_b", "get_time", ('{"zone": ', "1}")),
    Call("call_c", "now"),
)
ANSWERS = {
    "text": Answer(text=("Grüezi ", "世界 ", "🌍")),
    "nothing": Answer(),
    "calls": Answer(text=("Look: ",), calls=CALLS, finish="tool_calls"),
    "reasoning": Answer(text=("Yes",), reasoning=("One ", "two"), signature="c2ln"),
    "redacted": Answer(text=("Yes",), redacted="aGlkZGVu", calls=CALLS, finish="tool_calls"),
    "pools": Answer(text=("Yes",), usage=Pools(100, 7, 900, 50, 60)),
    "length": Answer(text=("One ", "two"), finish="length"),
    "full": Answer(text=("One",), finish="length", window_full=True),
    "refusal": Answer(text=("One",), finish="refusal"),
    "paused": Answer(text=("One",), finish="paused"),
    "stopped": Answer(text=("One",), stopped_at="two"),
    "no-usage": Answer(text=("One",), usage=None),
}


def whole(answer: Answer) -> Completion:
    found = decode_completion(SPOKEN.whole(answer, {}))
    assert isinstance(found, Completion)
    return found


def read(*pieces: bytes) -> list[Delta]:
    decoder = StreamDecoder()
    deltas = [delta for piece in pieces for delta in decoder.feed(piece)]
    return [*deltas, *decoder.end()]


def added_up(deltas: list[Delta]) -> Completion:
    builder = CompletionBuilder()
    for delta in deltas:
        builder.add(delta)
    return builder.build()


def event(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_stream_adds_up_to_the_whole_answer_however_it_is_cut(answer: Answer) -> None:
    events = SPOKEN.events(answer, {})
    stream = b"".join(events)
    expected = whole(answer)
    assert added_up(read(*events)) == expected
    assert added_up(read(stream)) == expected
    assert added_up(read(*(stream[n : n + 1] for n in range(len(stream))))) == expected
    assert added_up(read(stream.replace(b"\n", b"\r\n"))) == expected
    assert added_up(read(stream.removesuffix(b"\n\n"))) == expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("text", FinishReason.STOP),
        ("stopped", FinishReason.STOP),
        ("calls", FinishReason.TOOL_CALLS),
        ("length", FinishReason.LENGTH),
        ("full", FinishReason.LENGTH),
        ("refusal", FinishReason.REFUSAL),
        ("paused", FinishReason.PAUSED),
    ],
)
def test_the_reason_for_the_end_is_told(name: str, reason: FinishReason) -> None:
    assert whole(ANSWERS[name]).finish_reason is reason


def test_a_reason_that_nobody_knows_is_kept_and_not_taken_for_a_stop() -> None:
    found = decode_completion(b'{"content": [], "stop_reason": "solar_flare"}')
    assert isinstance(found, Completion)
    assert found.finish_reason is FinishReason.OTHER
    assert found.extras == {"stop_reason": "solar_flare"}


def test_what_was_said_is_told_in_full() -> None:
    answer = whole(
        Answer(("Yes",), ("One ", "two"), "c2ln", "aGlkZGVu", CALLS, finish="tool_calls")
    )
    assert answer.text == "Yes"
    assert answer.reasoning == "One two"
    assert answer.thoughts == (ReasoningPart("One two", "c2ln"), ReasoningPart(redacted="aGlkZGVu"))
    assert answer.tool_calls == (
        ToolCall("call_a", "get_weather", '{"city": "Zürich 🚠"}'),
        ToolCall("call_b", "get_time", '{"zone": 1}'),
        ToolCall("call_c", "now", "{}"),
    )
    assert answer.model == "echo-2001"
    assert answer.extras == {"id": "msg_01echo", "service_tier": "standard"}
    assert whole(ANSWERS["stopped"]).extras["stop_sequence"] == "two"


def test_a_refusal_explains_itself_beside_what_was_said_before() -> None:
    for answer in (
        whole(ANSWERS["refusal"]),
        added_up(read(*SPOKEN.events(ANSWERS["refusal"], {}))),
    ):
        assert answer.text == "One"
        assert answer.refusal == ""
        assert answer.extras["stop_details"]["explanation"]
        assert answer.extras["stop_details"]["category"] == "cyber"


def test_a_call_says_once_what_it_is_and_calls_are_counted_from_zero() -> None:
    """A block of text stands before them, and so the first call is block 1."""
    pieces = [
        piece for delta in read(*SPOKEN.events(ANSWERS["calls"], {})) for piece in delta.tool_calls
    ]
    assert [(piece.index, piece.id) for piece in pieces if piece.id] == [
        (0, "call_a"),
        (1, "call_b"),
        (2, "call_c"),
    ]
    assert len([piece for piece in pieces if piece.index == 0 and piece.arguments]) == 2


def test_the_usage_comes_once_and_last() -> None:
    deltas = read(*SPOKEN.events(ANSWERS["pools"], {}))
    assert [delta.usage is not None for delta in deltas] == [False] * (len(deltas) - 1) + [True]
    assert deltas[-2].finish_reason is FinishReason.STOP


def test_what_was_reported_is_given_before_an_error_and_a_start_is_no_report() -> None:
    """At the start the provider counts one token as written, whatever follows."""
    events = SPOKEN.events(ANSWERS["pools"], {})
    decoder = StreamDecoder()
    assert list(decoder.feed(b"".join(events[:4])))
    with pytest.raises(CorruptResponse):
        list(decoder.end())
    assert list(decoder.so_far()) == []
    list(decoder.feed(b"".join(events[4:-1])))
    with pytest.raises(CorruptResponse):
        list(decoder.end())
    (left,) = decoder.so_far()
    assert left.usage == whole(ANSWERS["pools"]).usage


def test_what_is_new_in_the_format_is_passed_over() -> None:
    events = SPOKEN.events(ANSWERS["text"], {})
    events[2:2] = [
        event("content_block_start", index=7, content_block={"type": "hologram", "text": "x"}),
        event("content_block_delta", index=7, delta={"type": "hologram_delta", "text": "x"}),
        event("content_block_delta", index=0, delta={"type": "citations_delta", "citation": {}}),
        event("content_block_stop", index=7),
        event("weather", temperature=21),
        b": a comment\n\n",
    ]
    assert added_up(read(*events)) == whole(ANSWERS["text"])
    blocks = [{"type": "hologram"}, {"type": "text", "text": "a"}]
    body = {"content": blocks, "stop_reason": "end_turn"}
    found = decode_completion(json.dumps(body).encode())
    assert isinstance(found, Completion)
    assert found.text == "a"


def test_a_block_may_begin_with_what_it_says() -> None:
    events = [
        event("message_start", message={"id": "m", "model": "claude"}),
        event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "Hm"}),
        event("content_block_stop", index=0),
        event("content_block_start", index=1, content_block={"type": "text", "text": "Yes"}),
        event(
            "content_block_start",
            index=2,
            content_block={"type": "tool_use", "id": "a", "name": "b", "input": {"c": 1}},
        ),
        event("content_block_stop", index=2),
        event("message_delta", delta={"stop_reason": "tool_use"}),
        event("message_delta", delta={"stop_reason": "end_turn"}),
        event("message_stop"),
        event("message_delta", delta={"stop_reason": "end_turn"}),
    ]
    answer = added_up(read(*events))
    assert (answer.reasoning, answer.text) == ("Hm", "Yes")
    assert answer.tool_calls[0].parsed_arguments() == {"c": 1}
    assert answer.finish_reason is FinishReason.TOOL_CALLS, "the first counts"
    assert answer.usage is None


def test_an_error_is_one_whatever_the_event_is_called() -> None:
    error = {"type": "overloaded_error", "message": "Overloaded"}
    for events in ((event("error", error=error),), (b'data: {"error": "Overloaded"}\n\n',)):
        with pytest.raises(Unavailable) as raised:
            read(*events)
        assert not raised.value.ambiguous, "nothing was said yet"
    with pytest.raises(Unavailable) as raised:
        read(*SPOKEN.events(ANSWERS["text"], {})[:1], event("error", error=error))
    assert raised.value.ambiguous
    assert raised.value.provider_code == "overloaded_error"


@pytest.mark.parametrize(
    "broken",
    [
        event("message_start"),
        event("content_block_start", index=0),
        event("content_block_start", index=0, content_block={"type": "tool_use", "id": "a"}),
        event("content_block_delta", index=3, delta={"type": "text_delta", "text": "a"}),
        event("content_block_delta", index=0),
        event("message_delta", delta=[]),
        event("message_stop"),
        b"data: [DONE]\n\n",
        b"data: \xff\n\n",
    ],
)
def test_events_that_break_the_format_are_an_error(broken: bytes) -> None:
    with pytest.raises(CorruptResponse):
        read(broken, event("message_stop"))
