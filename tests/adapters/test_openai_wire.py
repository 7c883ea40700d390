"""The OpenAI wire format, without a network: what goes out."""

import base64
import json
from types import MappingProxyType
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.adapters.openai.dialects import COMPATIBLE
from tollkeeper.adapters.openai.encoding import OUT_OF_REACH, encode_request
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import InvalidRequest, Unsupported
from tollkeeper.domain.messages import (
    ImagePart,
    Message,
    Part,
    Role,
    TextPart,
    ToolCall,
    assistant,
    system,
    tool_result,
    user,
)
from tollkeeper.domain.tools import JsonSchema, Tool

REQUEST = ChatRequest("m", (user("Hello"),), 16)
PNG = b"\x89PNG\r\n\x1a\n"


def encoded(request: ChatRequest = REQUEST, *, stream: bool = False, **changes: Any) -> Any:
    request = attrs.evolve(request, **changes)
    return json.loads(encode_request(request, stream=stream, dialect=COMPATIBLE))


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
        encode_request(
            REQUEST, stream=False, dialect=COMPATIBLE, max_tokens_field="max_completion_tokens"
        )
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
        {"messages": (Message(Role.USER, (TextPart("x"),), tool_call_id="1"),)},
    ],
    ids=["choice-without-tools", "system-image", "user-result"],
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
