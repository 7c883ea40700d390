"""The OpenAI wire format, without a network: what goes out and what is read."""

import base64
import contextlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.adapters.openai.decoding import decode_completion, decode_delta
from tollkeeper.adapters.openai.encoding import OUT_OF_REACH, encode_request
from tollkeeper.adapters.openai.faults import ProviderFault
from tollkeeper.domain.chat import (
    ChatRequest,
    ImagePart,
    JsonSchema,
    Message,
    Part,
    Role,
    TextPart,
    Tool,
    ToolCall,
    assistant,
    system,
    tool_result,
    user,
)
from tollkeeper.domain.completions import Completion, Delta, FinishReason, ToolCallDelta
from tollkeeper.domain.errors import CorruptResponse, InvalidRequest, Unsupported

REQUEST = ChatRequest("m", (user("Hello"),), 16)
PNG = b"\x89PNG\r\n\x1a\n"


def encoded(request: ChatRequest = REQUEST, *, stream: bool = False, **changes: Any) -> Any:
    return json.loads(encode_request(attrs.evolve(request, **changes), stream=stream))


def test_the_shortest_request_holds_nothing_that_was_not_asked() -> None:
    assert encoded() == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 16,
    }


def test_a_stream_is_asked_to_report_its_usage() -> None:
    body = encoded(stream=True)
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


def test_the_bound_of_what_is_written_goes_by_the_name_the_server_knows() -> None:
    body = json.loads(
        encode_request(REQUEST, stream=False, max_tokens_field="max_completion_tokens")
    )
    assert body["max_completion_tokens"] == 16
    assert "max_tokens" not in body


def test_every_kind_of_message_is_written() -> None:
    call = ToolCall("call_1", "get_weather", '{"city": "Zürich"}')
    messages = (
        system("Be brief."),
        user(["Look:", ImagePart(url="https://example.org/a.png"), ImagePart(data=PNG)]),
        assistant("Wait.", tool_calls=[call]),
        assistant(tool_calls=[attrs.evolve(call, arguments="")]),
        tool_result("call_1", "sunny"),
    )
    data = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    function = {"name": "get_weather", "arguments": call.arguments}
    assert encoded(messages=messages)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
                {"type": "image_url", "image_url": {"url": data}},
            ],
        },
        {
            "role": "assistant",
            "content": "Wait.",
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": "{}"},
                }
            ],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "call_1"},
    ]


def test_tools_and_settings_are_written() -> None:
    tool = Tool("look", "Looks.", MappingProxyType({"type": "object"}), strict=True)
    body = encoded(
        tools=(tool, Tool("go")),
        tool_choice="go",
        temperature=0.0,
        top_p=0.5,
        seed=0,
        stop=("END",),
        extra={"user": "u"},
    )
    assert body["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "look",
                "description": "Looks.",
                "parameters": {"type": "object"},
                "strict": True,
            },
        },
        {
            "type": "function",
            "function": {"name": "go", "parameters": {"type": "object", "properties": {}}},
        },
    ]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "go"}}
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.0, 0.5, 0)
    assert body["stop"] == ["END"]
    assert body["user"] == "u"
    assert encoded(tools=(tool,), tool_choice="none")["tool_choice"] == "none"
    assert encoded(tools=(tool,), tool_choice="required")["tool_choice"] == "required"
    assert "tool_choice" not in encoded(tools=(tool,))


def test_the_form_of_the_answer_is_asked_for() -> None:
    schema = {"type": "object", "properties": {}}
    assert encoded(response_format="json")["response_format"] == {"type": "json_object"}
    assert encoded(response_format=JsonSchema("n", schema, strict=False))["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": schema, "strict": False},
    }
    assert "response_format" not in encoded(response_format="text")


@pytest.mark.parametrize("name", sorted(OUT_OF_REACH))
def test_extra_reaches_nothing_that_the_hold_rests_on(name: str) -> None:
    with pytest.raises(Unsupported, match=name):
        encoded(extra={name: 1})


@pytest.mark.parametrize(
    "changes",
    [
        {"tool_choice": "required"},
        {"messages": (Message(Role.SYSTEM, (ImagePart(data=PNG), TextPart("x"))),)},
        {"messages": (Message(Role.USER, (TextPart("x"),), (ToolCall("1", "f", "{}"),)),)},
        {"messages": (Message(Role.USER, (TextPart("x"),), tool_call_id="1"),)},
    ],
    ids=["choice-without-tools", "system-image", "user-calls", "user-result"],
)
def test_what_the_format_cannot_say_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        encoded(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"extra": {"x": "half of a pair: \ud83d"}},
        {"extra": {"x": object()}},
    ],
    ids=["surrogate", "object"],
)
def test_what_is_no_json_is_an_invalid_request(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        encoded(**changes)


_texts = st.text(st.characters(exclude_categories=["Cs"]))
_parts = st.one_of(
    st.builds(TextPart, _texts), st.builds(lambda data: ImagePart(data=data), st.binary(min_size=1))
)


@given(st.lists(_parts, min_size=1, max_size=4), _texts.filter(bool))
def test_whatever_is_said_arrives_unchanged(parts: list[Part], name: str) -> None:
    request = ChatRequest(name, (user(parts),), 16)
    body = json.loads(encode_request(request, stream=True))
    content: Any = body["messages"][0]["content"]
    said: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    assert body["model"] == name
    assert [part.get("text") for part in said if part["type"] == "text"] == [
        part.text for part in parts if isinstance(part, TextPart)
    ]
    images = [part["image_url"]["url"] for part in said if part["type"] == "image_url"]
    assert [base64.b64decode(url.partition(",")[2]) for url in images] == [
        part.data for part in parts if isinstance(part, ImagePart)
    ]


def a_body(message: Mapping[str, Any] | None = None, **choice: Any) -> bytes:
    said = {"role": "assistant", "content": "Hi"} if message is None else message
    found = {"index": 0, "message": said, "finish_reason": "stop", **choice}
    return json.dumps({"id": "1", "model": "m-1", "choices": [found], "new_field": 1}).encode()


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
    piece = decode_delta(json.dumps({"choices": [{"delta": {}, "finish_reason": said}]}).encode())
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
    for found in (decode_completion(body), decode_delta(body)):
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
            Delta(tool_calls=(ToolCallDelta(1, "c"),)),
        ),
    ],
)
def test_a_chunk_is_read(chunk: dict[str, Any], delta: Delta | None) -> None:
    assert decode_delta(json.dumps(chunk).encode()) == delta


def test_a_call_with_a_number_below_0_is_corrupt() -> None:
    with pytest.raises(CorruptResponse):
        decode_delta(b'{"choices": [{"delta": {"tool_calls": [{"index": -1}]}}]}')


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
    for read in (decode_delta, decode_completion):
        with contextlib.suppress(CorruptResponse):  # any other error fails the test
            found = read(data)
            assert found is None or isinstance(found, Delta | Completion | ProviderFault)


def test_json_without_an_end_of_nesting_is_corrupt() -> None:
    for opening in (b"[", b'{"usage":', b'{"error":'):
        with pytest.raises(CorruptResponse):
            decode_delta(opening * 100_000)
