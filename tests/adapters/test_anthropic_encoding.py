"""Requests as the Messages API takes them."""

import json
from typing import Any

import pytest

from tollkeeper.adapters.anthropic.encoding import OUT_OF_REACH, encode_request, extra_headers
from tollkeeper.adapters.anthropic.fitting import fitted
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import InvalidRequest, TollkeeperError, Unsupported
from tollkeeper.domain.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    Role,
    ToolCall,
    assistant,
    system,
    user,
)
from tollkeeper.domain.prompt_cache import PromptCache
from tollkeeper.domain.quirks import Quirks
from tollkeeper.domain.tools import JsonSchema, Tool

HELLO = user("Hello")
TOOL = Tool("now", "Tells the time.")
LONG = "word " * 2_000


def asking(*messages: Message, **more: Any) -> ChatRequest:
    return ChatRequest("claude", messages or (HELLO,), **{"max_tokens": 4_096, **more})


def written(*messages: Message, **more: Any) -> dict[str, Any]:
    request, warnings = fitted(asking(*messages, **more))
    assert warnings == ()
    body: dict[str, Any] = json.loads(encode_request(request, stream=False))
    return body


def text(said: str) -> dict[str, str]:
    return {"type": "text", "text": said}


def test_a_plain_request_says_what_is_asked_and_nothing_else() -> None:
    assert written() == {
        "model": "claude",
        "max_tokens": 4_096,
        "messages": [{"role": "user", "content": [text("Hello")]}],
    }
    assert json.loads(encode_request(asking(), stream=True))["stream"] is True


def test_tools_and_how_they_are_chosen() -> None:
    strict = Tool("later", strict=True, parameters={"type": "object", "properties": {"a": {}}})
    body = written(tools=(TOOL, strict))
    assert body["tools"] == [
        {
            "name": "now",
            "description": "Tells the time.",
            "input_schema": {"type": "object", "properties": {}},
        },
        {
            "name": "later",
            "strict": True,
            "input_schema": {"type": "object", "properties": {"a": {}}},
        },
    ]
    assert "tool_choice" not in body


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        ("auto", None, None),
        ("auto", True, None),
        ("auto", False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", None, {"type": "any"}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        ("now", None, {"type": "tool", "name": "now"}),
    ],
)
def test_a_choice_of_tools_has_its_own_form(
    choice: str, parallel: bool | None, expected: object
) -> None:
    body = written(tools=(TOOL,), tool_choice=choice, parallel_tool_calls=parallel)
    assert body.get("tool_choice") == expected


def test_parameters_have_the_names_of_the_api() -> None:
    body = written(
        temperature=0.5,
        top_p=0.9,
        stop=("END",),
        user="u-1",
        service_tier="standard_only",
        response_format=JsonSchema("place", {"type": "object"}),
    )
    assert body["temperature"] == 0.5
    assert body["top_p"] == 0.9
    assert body["stop_sequences"] == ["END"]
    assert body["metadata"] == {"user_id": "u-1"}
    assert body["service_tier"] == "standard_only"
    schema = {"type": "json_schema", "schema": {"type": "object"}}
    assert body["output_config"] == {"format": schema}
    assert written(metadata={"user_id": "u-2"})["metadata"] == {"user_id": "u-2"}


@pytest.mark.parametrize(
    ("asked", "thinking", "output"),
    [
        ({"reasoning_budget": 2_000}, {"type": "enabled", "budget_tokens": 2_000}, None),
        ({"reasoning_effort": "high"}, {"type": "adaptive"}, {"effort": "high"}),
        ({"reasoning_effort": "none"}, {"type": "disabled"}, None),
        (
            {"reasoning_effort": "low", "reasoning_budget": 1_024},
            {"type": "enabled", "budget_tokens": 1_024},
            {"effort": "low"},
        ),
    ],
)
def test_reasoning_is_asked_for_by_budget_or_effort(
    asked: dict[str, Any], thinking: object, output: object
) -> None:
    body = written(**asked)
    assert body["thinking"] == thinking
    assert body.get("output_config") == output


UNFIT: dict[str, dict[str, Any]] = {
    "temperature": {"temperature": 1.5},
    "seed": {"seed": 7},
    "frequency_penalty": {"frequency_penalty": 0.5},
    "presence_penalty": {"presence_penalty": 0.5},
    "top_logprobs": {"top_logprobs": 2},
    "metadata": {"metadata": {"team": "a", "user_id": "b"}},
    "reasoning_budget": {"reasoning_budget": 1_023},
    "reasoning_effort": {"reasoning_effort": "minimal"},
    "service_tier": {"service_tier": "flex"},
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_the_api_does_not_take_is_refused_or_dropped_with_a_warning(name: str) -> None:
    request = asking(**UNFIT[name])
    with pytest.raises(Unsupported) as raised:
        fitted(request)
    assert raised.value.code == "unsupported_parameter"
    request, warnings = fitted(asking(**UNFIT[name], on_unsupported="drop"))
    assert len(warnings) == 1
    assert name in warnings[0]
    assert json.loads(encode_request(request, stream=False)) == written()


@pytest.mark.parametrize(
    ("expected", "request_"),
    [
        (Unsupported, asking(user(AudioPart(b"RIFF")), on_unsupported="drop")),
        (Unsupported, asking(response_format="json", on_unsupported="drop")),
        (Unsupported, asking(HELLO, system("Be brief."))),
        (Unsupported, asking(user(ImagePart(data=b"x", media_type="image/tiff")))),
        (Unsupported, asking(user(FilePart("a", data=b"x", media_type="text/csv")))),
        (Unsupported, asking(user(FilePart("a", url="https://a", media_type="text/plain")))),
        (Unsupported, asking(HELLO, Message(Role.ASSISTANT, (ImagePart(url="https://a"),)))),
        (Unsupported, asking(tool_choice="required")),
        (InvalidRequest, asking(HELLO, assistant(tool_calls=[ToolCall("a", "now", "[1]")]))),
        (InvalidRequest, asking(user(FilePart("a", data=b"\xff", media_type="text/plain")))),
        (InvalidRequest, asking(extra={"odd": object()})),
        (InvalidRequest, asking(reasoning_effort="none", reasoning_budget=2_000)),
        (InvalidRequest, asking(user="a", metadata={"user_id": "b"})),
    ],
)
def test_what_cannot_be_expressed_is_an_error(
    expected: type[TollkeeperError], request_: ChatRequest
) -> None:
    with pytest.raises(expected):
        encode_request(fitted(request_)[0], stream=False)


def test_extra_goes_along_but_not_where_the_price_rests() -> None:
    quirks = Quirks(extra={"context_management": {}, "top_k": 1})
    body = written(extra={"top_k": 5}, quirks=quirks)
    assert (body["top_k"], body["context_management"]) == (5, {})
    place = JsonSchema("place", {"type": "object"})
    output = written(response_format=place, extra={"output_config": {"effort": "low"}})
    assert output["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": {"type": "object"}},
    }
    for name in OUT_OF_REACH:
        with pytest.raises(Unsupported):
            written(extra={name: "x"})


def test_a_models_headers_go_along_but_not_in_place_of_the_key() -> None:
    quirks = Quirks(headers={"Anthropic-Beta": "context-1m"})
    assert extra_headers(asking(quirks=quirks)) == {"anthropic-beta": "context-1m"}
    for headers in ({"X-API-Key": "other"}, {"Host": "a"}, {"a b": "c"}, {"a": "b\r\nc: d"}):
        with pytest.raises(Unsupported):
            extra_headers(asking(quirks=Quirks(headers=headers)))


def marks(body: dict[str, Any]) -> list[str]:
    """Name what is marked, in the order of the wire."""
    blocks = [*body.get("tools", ()), *body.get("system", ())]
    blocks += [block for turn in body["messages"] for block in turn["content"]]
    return [
        block.get("text", block.get("name", "?"))[:8]
        for block in blocks
        if "cache_control" in block
    ]


def test_what_stays_the_same_is_marked_for_the_cache() -> None:
    conversation = (
        system("Be brief"),
        user("First " + LONG),
        assistant("Yes"),
        user("Second"),
        assistant("Yes"),
        user("Third"),
    )
    body = written(*conversation, prompt_cache=PromptCache())
    assert marks(body) == ["Second", "Third"], "the system's message is too short to keep"
    tools = (Tool("now"), Tool("later", LONG))
    body = written(*conversation, tools=tools, prompt_cache=PromptCache(ttl="1h"))
    assert marks(body) == ["later", "Be brief", "Second", "Third"]
    assert body["tools"][1]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    body = written(*conversation, tools=tools, prompt_cache=PromptCache(tail=3))
    assert marks(body) == ["Be brief", "First wo", "Second", "Third"], "four at most"
    assert "cache_control" not in json.dumps(written(*conversation, tools=tools))


def test_a_request_is_left_as_it_was() -> None:
    tool = Tool("now", LONG)
    before = dict(tool.parameters)
    written(tools=(tool,), prompt_cache=PromptCache())
    assert tool.parameters == before
