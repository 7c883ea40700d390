"""Every malformed message, tool and request is an InvalidRequest, never a surprise."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCall,
    assistant,
    system,
    tool_result,
    user,
)
from tollkeeper.domain.prompt_cache import PromptCache
from tollkeeper.domain.quirks import NO_QUIRKS
from tollkeeper.domain.tools import JsonSchema, Tool

HALF_A_PAIR = "\ud83d"
CALL = ToolCall("call-1", "weather", '{"city": "Oslo"}')
WEATHER = Tool("weather", "How the weather is", {"type": "object", "properties": {}})


def endless() -> dict[str, Any]:
    value: dict[str, Any] = {"type": "object"}
    value["self"] = value
    return value


def deep() -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(100_000):
        value = {"in": value}
    return {"type": "object", "properties": value}


def request(**changes: Any) -> ChatRequest:
    return ChatRequest(**{"model": "m", "messages": [user("Hello")], "max_tokens": 10, **changes})


def test_messages_say_who_speaks() -> None:
    assert system("Be kind.") == Message(Role.SYSTEM, (TextPart("Be kind."),))
    assert user("Hello").text == "Hello"
    assert user(["a", TextPart("b"), ImagePart(url="https://x/y.png")]).text == "ab"
    assert user(ImagePart(data=b"png")).content == (ImagePart(data=b"png"),)
    assert assistant("Hm.", tool_calls=[CALL]).tool_calls == (CALL,)
    assert assistant(tool_calls=[CALL]).content == ()
    assert tool_result("call-1", "rain").tool_call_id == "call-1"


@given(st.text())
def test_any_unicode_text_can_be_said(text: str) -> None:
    assert user(text).text == system(text).text == tool_result("id", text).text == text


BAD_MESSAGES: dict[str, Callable[[], object]] = {
    "no text": lambda: user(None),  # type: ignore[arg-type]
    "a number": lambda: user(5),  # type: ignore[arg-type]
    "bytes": lambda: user(b"hello"),  # type: ignore[arg-type]
    "a provider's own dict": lambda: user({"type": "text"}),  # type: ignore[arg-type]
    "a list of dicts": lambda: user([{"type": "text"}]),  # type: ignore[list-item]
    "a list of numbers": lambda: user([1, 2]),  # type: ignore[list-item]
    "a set": lambda: user({"a", "b"}),  # type: ignore[arg-type]
    "a generator": lambda: user(c for c in "ab"),  # type: ignore[arg-type]
    "half a surrogate pair": lambda: user(HALF_A_PAIR),
    "half a pair in a list": lambda: user(["a", HALF_A_PAIR]),
    "a system without text": lambda: system(None),  # type: ignore[arg-type]
    "an assistant of None": lambda: assistant(None),  # type: ignore[arg-type]
    "calls that are none": lambda: assistant(tool_calls=None),  # type: ignore[arg-type]
    "calls that are texts": lambda: assistant(tool_calls=["weather"]),  # type: ignore[list-item]
    "a call that is no list": lambda: assistant(tool_calls=CALL),  # type: ignore[arg-type]
    "a result without text": lambda: tool_result("id", None),  # type: ignore[arg-type]
    "a result for a number": lambda: tool_result(5, "x"),  # type: ignore[arg-type]
    "a role that is text": lambda: Message("user", ()),  # type: ignore[arg-type]
    "a role that is none": lambda: Message(None),  # type: ignore[arg-type]
    "content that is a number": lambda: Message(Role.USER, 5),  # type: ignore[arg-type]
    "a part without text": lambda: TextPart(None),  # type: ignore[arg-type]
    "a part of bytes": lambda: TextPart(b"x"),  # type: ignore[arg-type]
    "an image of nothing": lambda: ImagePart(),
    "an image of both": lambda: ImagePart(url="https://x", data=b"x"),
    "an image of no bytes": lambda: ImagePart(data=b""),
    "an image that is text": lambda: ImagePart(data="x"),  # type: ignore[arg-type]
    "an image of a number": lambda: ImagePart(url=5),  # type: ignore[arg-type]
    "an image of bytes as url": lambda: ImagePart(url=b"https://x"),  # type: ignore[arg-type]
    "an image in a file": lambda: ImagePart(url="file:///etc/passwd"),
    "an image in its url": lambda: ImagePart(url="data:image/png;base64,xx"),
    "an image's url of two lines": lambda: ImagePart(url="https://x/\ny"),
    "a picture that is text": lambda: ImagePart(data=b"x", media_type="text/html"),
    "a picture of no type": lambda: ImagePart(data=b"x", media_type=None),  # type: ignore[arg-type]
    "a type with more in it": lambda: ImagePart(data=b"x", media_type='image/png"; x="'),
    "a call of numbers": lambda: ToolCall(1, "a", "{}"),  # type: ignore[arg-type]
    "a call of a dict": lambda: ToolCall("1", "a", {}),  # type: ignore[arg-type]
    "a call in a request with half a pair": lambda: assistant(
        tool_calls=[ToolCall("1", "a", HALF_A_PAIR)]
    ),
}


@pytest.mark.parametrize("make", BAD_MESSAGES.values(), ids=BAD_MESSAGES)
def test_a_malformed_message_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        make()
    assert refused.value.code == "invalid_message"


@pytest.mark.parametrize(
    ("arguments", "parsed"), [('{"a": [1, null]}', {"a": [1, None]}), ("", {}), (" {} ", {})]
)
def test_arguments_are_read_as_an_object(arguments: str, parsed: dict[str, Any]) -> None:
    assert ToolCall("1", "f", arguments).parsed_arguments() == parsed


@pytest.mark.parametrize(
    "arguments",
    ["{", "[]", "5", '"x"', "null", "{'a': 1}", '{"a": 1} {}', "[" * 100_000, "9" * 10_000, "\0"],
    ids=lambda text: text[:10],
)
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    with pytest.raises(InvalidRequest, match="called f with") as refused:
        ToolCall("1", "f", arguments).parsed_arguments()
    assert refused.value.code == "invalid_tool_arguments"


@pytest.mark.parametrize("name", ["a", "get_Weather-2", "x" * 64])
def test_a_tool_may_be_called_so(name: str) -> None:
    assert Tool(name).parameters == {"type": "object", "properties": {}}


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a.b", "é", "a\n", None, 5, b"a"], ids=repr)
def test_a_tool_and_a_schema_may_not_be_called_so(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Tool(name)
    assert refused.value.code == "invalid_tool"
    with pytest.raises(InvalidRequest):
        JsonSchema(name, {})


NO_JSON: dict[str, object] = {
    "none": None,
    "text": '{"type": "object"}',
    "a list": ["object"],
    "a set inside": {"type": "object", "properties": {1, 2}},
    "an object inside": {"type": "object", "default": object()},
    "bytes inside": {"type": "object", "default": b"x"},
    "decimals inside": {"type": "object", "default": Decimal(1)},
    "not a number inside": {"type": "object", "default": math.nan},
    "numbers as keys": {"type": "object", 5: 5},
    "a circle": endless(),
    "a well": deep(),
}


@pytest.mark.parametrize("schema", NO_JSON.values(), ids=NO_JSON)
def test_parameters_and_schemas_must_be_json(schema: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Tool("f", parameters=schema)
    assert refused.value.code == "invalid_tool"
    with pytest.raises(InvalidRequest):
        JsonSchema("f", schema)


@pytest.mark.parametrize("parameters", [{}, {"type": "string"}, {"type": ["object"]}], ids=repr)
def test_parameters_describe_an_object(parameters: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match='"type": "object"'):
        Tool("f", parameters=parameters)


@pytest.mark.parametrize("description", [None, 5, HALF_A_PAIR], ids=ascii)
def test_a_description_is_text(description: str) -> None:
    with pytest.raises(InvalidRequest):
        Tool("f", description)


def test_a_request_takes_what_it_is_given_as_lists() -> None:
    asked = request(
        messages=(user(str(n)) for n in range(2)), stop="END", tools=[WEATHER], seed=-7, top_p=1
    )
    assert [message.text for message in asked.messages] == ["0", "1"]
    assert (asked.stop, asked.tools) == (("END",), (WEATHER,))
    assert (asked.temperature, asked.response_format, asked.tool_choice) == (None, "text", "auto")


@pytest.mark.parametrize("choice", ["auto", "none", "required", "weather"])
def test_a_choice_is_a_way_or_a_tool(choice: str) -> None:
    assert request(tools=[WEATHER], tool_choice=choice).tool_choice == choice


@pytest.mark.parametrize("wanted", ["text", "json", JsonSchema("answer", {"type": "object"})])
def test_a_format_is_text_json_or_a_schema(wanted: object) -> None:
    assert request(response_format=wanted).response_format == wanted


BAD_VALUES: dict[str, tuple[object, ...]] = {
    "model": ("", None, 5),
    "messages": (
        [], (), None, 5, "hello", user("not in a list"), ["hello"], [None], [{"role": "user"}],
        {"role": "user"}, b"hello", [[user("nested")]], [Message(Role.TOOL, "rain")],
        [tool_result("", "rain")],
    ),
    "max_tokens": (0, -1, 1.0, True, "10", None, math.inf),
    "temperature": ("hot", -0.1, 2.1, math.nan, math.inf, True, [1], 1j, 10**400, Decimal(1)),
    "top_p": ("all", -0.1, 1.1, math.nan, False, {}),
    "seed": ("7", 1.5, math.nan, True, 2**63, [7]),
    "stop": (None, 5, [5], [""], "", [None], [["END"]], HALF_A_PAIR),
    "tools": (
        None, 5, "weather", ["weather"], [{"name": "f"}], WEATHER,
        [WEATHER, Tool("weather", "Another of that name")],
    ),
    "tool_choice": ("any", "", None, 5, [], {"name": "weather"}, "weather"),
    "response_format": ("xml", None, {"type": "json_object"}, 5, JsonSchema),
    "extra": (None, 5, "n=1", [("n", 1)], {5: 5}),
    "frequency_penalty": ("high", -2.1, 2.1, math.nan, True),
    "presence_penalty": ("high", -2.1, 2.1, math.inf, [0]),
    "parallel_tool_calls": (1, 0, "yes", [], 1.0),
    "reasoning_effort": ("", "huge", "HIGH", 5, True, ["high"]),
    "reasoning_budget": (0, -1, 10, 11, 1.5, True, "5"),
    "top_logprobs": (-1, 21, 1.0, True, "5"),
    "service_tier": ("", "x" * 257, "a\nb", 5, HALF_A_PAIR, ["flex"]),
    "user": ("", "x" * 257, "a\0b", 5, HALF_A_PAIR),
    "metadata": (None, 5, "a=b", [("a", "b")], {5: "a"}, {"a": 5}, {"a": None}, {"a": HALF_A_PAIR},
                 {HALF_A_PAIR: "a"}),
    "prompt_cache": (True, "5m", {"ttl": "5m"}, PromptCache),
    "on_unsupported": ("", "ignore", None, True, ["drop"]),
}  # fmt: skip
BAD_REQUESTS = [(field, bad) for field, values in BAD_VALUES.items() for bad in values]


@pytest.mark.parametrize(("field", "bad"), BAD_REQUESTS, ids=lambda value: repr(value)[:40])
def test_a_malformed_request_is_refused(field: str, bad: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request(**{field: bad})
    assert refused.value.code in ("invalid_request", "invalid_message", "invalid_tool")


GOOD_VALUES: dict[str, tuple[object, ...]] = {
    "temperature": (0, 2, 0.0, 0.7),
    "top_p": (0, 1, 0.5),
    "seed": (0, -(2**63) + 1, 2**63 - 1),
    "frequency_penalty": (-2, 2, 0.5, None),
    "presence_penalty": (-2, 2, -0.5, None),
    "parallel_tool_calls": (True, False, None),
    "reasoning_effort": ("none", "minimal", "low", "medium", "high", "xhigh", "max", None),
    "reasoning_budget": (1, 9, None),
    "top_logprobs": (0, 20, None),
    "service_tier": ("flex", "x" * 256, None),
    "user": ("Jürgen 7", "x" * 256, None),
    "metadata": ({}, {"order": "17", "": ""}),
    "prompt_cache": (PromptCache(), None),
    "on_unsupported": ("refuse", "drop"),
}
GOOD_REQUESTS = [(field, good) for field, values in GOOD_VALUES.items() for good in values]


@pytest.mark.parametrize(("field", "good"), GOOD_REQUESTS, ids=lambda value: repr(value)[:40])
def test_a_value_at_its_bound_is_taken_as_it_is(field: str, good: object) -> None:
    assert getattr(request(**{field: good}), field) == good


def test_what_is_not_asked_for_is_left_to_the_provider() -> None:
    asked = request()
    untold = ("frequency_penalty", "presence_penalty", "parallel_tool_calls", "reasoning_effort")
    more = ("reasoning_budget", "top_logprobs", "service_tier", "user", "prompt_cache")
    assert {getattr(asked, name) for name in (*untold, *more)} == {None}
    assert (asked.metadata, asked.quirks, asked.on_unsupported) == ({}, NO_QUIRKS, "refuse")


def test_modalities_are_what_the_messages_hold_beside_text() -> None:
    parts: dict[str, Part] = {
        "images": ImagePart(data=b"x"),
        "audio": AudioPart(b"x"),
        "files": FilePart("a.pdf", data=b"x"),
    }
    assert request().modalities == frozenset()
    for name, part in parts.items():
        assert request(messages=[user(["see", part, part]), user("?")]).modalities == {name}
    everything = [user(part) for part in parts.values()]
    assert request(messages=everything).modalities == {"images", "audio", "files"}
    thinking = [user("a"), assistant("b", reasoning=[ReasoningPart("c")])]
    assert request(messages=thinking).modalities == frozenset()


def test_an_image_does_not_fill_the_logs() -> None:
    assert "\\x89PNG" not in repr(user(ImagePart(data=b"\x89PNG" * 1000)))
