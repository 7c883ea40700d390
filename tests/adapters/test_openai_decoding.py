"""The OpenAI wire format, without a network: what is read."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.adapters.openai.decoding import WireAnswer, decode_answer, decode_completion
from tollkeeper.adapters.openai.stream_decoder import StreamDecoder
from tollkeeper.adapters.wire.faults import ProviderFault
from tollkeeper.domain.completions import Completion, Delta, FinishReason, ToolCallDelta
from tollkeeper.domain.errors import CorruptResponse
from tollkeeper.domain.messages import ToolCall


def a_body(message: Mapping[str, Any] | None = None, **choice: Any) -> bytes:
    said = {"role": "assistant", "content": "Hi"} if message is None else message
    found = {"index": 0, "message": said, "finish_reason": "stop", **choice}
    return json.dumps({"id": "1", "model": "m-1", "choices": [found], "new_field": 1}).encode()


def decode_delta(chunk: Any) -> Delta | None:
    """Read one chunk of a stream."""
    return next(StreamDecoder().feed(b"data: " + json.dumps(chunk).encode() + b"\n\n"), None)


def test_a_whole_answer_is_read() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    body = a_body(
        {"content": None, "tool_calls": [call], "refusal": "No.", "reasoning_content": "Hm."},
        finish_reason="tool_calls",
        logprobs=None,
    )
    assert decode_completion(body) == Completion(
        tool_calls=(ToolCall("c", "f", "{}"),),
        reasoning="Hm.",
        refusal="No.",
        finish_reason=FinishReason.TOOL_CALLS,
        model="m-1",
    )


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("tool_calls", FinishReason.TOOL_CALLS),
        ("function_call", FinishReason.TOOL_CALLS),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("malformed_function_call", FinishReason.OTHER),
        ("pause_turn", FinishReason.OTHER),
    ],
)
def test_an_unknown_finish_reason_is_never_taken_for_stop(said: str, meant: FinishReason) -> None:
    whole = decode_completion(a_body(finish_reason=said))
    assert isinstance(whole, Completion)
    assert whole.finish_reason is meant
    piece = decode_delta({"choices": [{"delta": {}, "finish_reason": said}]})
    assert piece == Delta(finish_reason=meant)


def test_reasoning_that_is_sent_twice_is_read_once() -> None:
    both = {"content": "x", "reasoning": "Hm.", "reasoning_content": "Hm."}
    object_form = {"content": "x", "reasoning": {"effort": "low"}}
    whole, other = decode_completion(a_body(both)), decode_completion(a_body(object_form))
    assert isinstance(whole, Completion)
    assert isinstance(other, Completion)
    assert (whole.reasoning, other.reasoning) == ("Hm.", "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"null",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"index": 0}]}',
        b'{"choices": {"index": 0}}',
        b'{"choices": [{"index": 1, "message": {"content": "x"}, "finish_reason": "stop"}]}',
        a_body(finish_reason=None),
        a_body(finish_reason=""),
        a_body(finish_reason=7),
        a_body({"content": 7}),
        a_body({"content": [{"type": "text", "text": "x"}]}),
        a_body({"tool_calls": [{"id": "c", "function": {"arguments": "{}"}}]}),
        a_body({"tool_calls": [{"id": "c"}]}),
        a_body()[:-5],
        b'\xff{"choices": []}',
    ],
)
def test_what_is_no_whole_answer_is_corrupt(body: bytes) -> None:
    with pytest.raises(CorruptResponse):
        decode_completion(body)


def test_an_error_in_the_place_of_an_answer_is_found() -> None:
    body = b'{"error": {"message": "m", "type": "t", "code": 429}, "choices": []}'
    for found in (decode_completion(body), decode_answer(body)):
        assert isinstance(found, ProviderFault)
        assert (found.kind, found.code, found.text) == ("t", "429", "m")
    failed = decode_completion(a_body(finish_reason="error"))
    assert isinstance(failed, ProviderFault)


def test_arguments_that_come_as_an_object_are_written_as_text() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": {"city": "Paris"}}}
    found = decode_completion(a_body({"tool_calls": [call]}))
    assert isinstance(found, Completion)
    assert found.tool_calls[0].parsed_arguments() == {"city": "Paris"}


@pytest.mark.parametrize(
    ("chunk", "delta"),
    [
        ({"choices": []}, None),
        ({"object": "ping"}, None),
        ({"choices": [{"delta": {"content": "Hi"}}]}, Delta(text="Hi")),
        ({"choices": [{"delta": {"refusal": "No"}}], "model": "m"}, Delta(refusal="No", model="m")),
        ({"choices": [{"delta": {"reasoning": "Hm"}}]}, Delta(reasoning="Hm")),
        ({"choices": [{"index": 0, "finish_reason": ""}]}, Delta()),
        (
            {"choices": [{"delta": {"tool_calls": [{"index": 1, "id": "c"}]}}]},
            Delta(tool_calls=(ToolCallDelta(0, "c"),)),
        ),
    ],
)
def test_a_chunk_is_read(chunk: dict[str, Any], delta: Delta | None) -> None:
    assert decode_delta(chunk) == delta


def test_a_call_with_a_number_below_0_is_corrupt() -> None:
    with pytest.raises(CorruptResponse):
        decode_delta({"choices": [{"delta": {"tool_calls": [{"index": -1}]}}]})


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = ("choices", "delta", "message", "usage", "error", "content", "tool_calls", "function")
_near_misses = st.recursive(
    _json,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.binary() | _near_misses.map(lambda found: json.dumps(found).encode()))
def test_whatever_arrives_is_read_or_corrupt(data: bytes) -> None:
    for read in (decode_answer, decode_completion):
        with contextlib.suppress(CorruptResponse):  # any other error fails the test
            assert isinstance(read(data), WireAnswer | Completion | ProviderFault)


def test_json_without_an_end_of_nesting_is_corrupt() -> None:
    for opening in (b"[", b'{"usage":', b'{"error":'):
        with pytest.raises(CorruptResponse):
            decode_answer(opening * 100_000)
