"""The bound before a call is never under what a request counts as, however it is rendered."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.adapters.bpe_openai.token_counter import BpeOpenaiTokenCounter
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.messages import (
    ImagePart,
    TextPart,
    ToolCall,
    assistant,
    system,
    tool_result,
    user,
)
from tollkeeper.domain.token_counts import (
    LARGEST_IMAGE_TOKENS,
    PUBLISHED_TOOL_PROMPTS,
    TOKENS_AROUND_TOOLS,
    bound_input_tokens,
)
from tollkeeper.domain.tools import JsonSchema, Tool

COUNTER = BpeOpenaiTokenCounter()
ENCODINGS = ("openai/gpt-4o", "openai/gpt-4")
TEXTS = st.text(max_size=40)
NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
LEAVES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "number", "integer", "boolean", "null"])},
    optional={
        "description": TEXTS,
        "enum": st.lists(TEXTS, max_size=4),
        "default": TEXTS | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    },
)


def objects(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw schemas of objects with properties like *inner*."""
    return st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(TEXTS, inner, max_size=4)},
        optional={"required": st.lists(TEXTS, max_size=3), "description": TEXTS},
    )


def arrays(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw schemas of lists of *inner*."""
    return st.fixed_dictionaries({"type": st.just("array"), "items": inner})


NESTED = st.recursive(LEAVES, lambda inner: objects(inner) | arrays(inner), max_leaves=8)
SCHEMAS = objects(NESTED)
TOOLS = st.lists(
    st.builds(Tool, NAMES, TEXTS, SCHEMAS, st.booleans()),
    max_size=12,
    unique_by=lambda tool: tool.name,
)
CALLS = st.lists(st.builds(ToolCall, NAMES, NAMES, TEXTS), max_size=3)
PARTS = st.builds(TextPart, TEXTS) | st.just(ImagePart(url="https://images.example/a.png"))
MESSAGES = (
    st.builds(user, st.lists(PARTS, max_size=3))
    | st.builds(system, TEXTS)
    | st.builds(lambda text, calls: assistant(text, tool_calls=calls), TEXTS, CALLS)
    | st.builds(tool_result, NAMES, TEXTS)
)


JSON_OR_TEXT: st.SearchStrategy[Literal["text", "json"]] = st.sampled_from(["text", "json"])


@st.composite
def requests(draw: st.DrawFn) -> ChatRequest:
    """Draw requests with tools, a choice of them, schemas and images."""
    tools = draw(TOOLS)
    choices = ["auto", "none", *(["required", *(tool.name for tool in tools)] if tools else [])]
    return ChatRequest(
        model="m",
        messages=draw(st.lists(MESSAGES, min_size=1, max_size=4)),
        max_tokens=10,
        tools=tools,
        tool_choice=draw(st.sampled_from(choices)) if tools else "auto",
        response_format=draw(JSON_OR_TEXT | st.builds(JsonSchema, NAMES, SCHEMAS)),
    )


def as_json(value: object, **how: Any) -> str:
    """Write JSON as templates do: no character is escaped."""
    return json.dumps(value, ensure_ascii=False, **how)


def function(tool: Tool) -> dict[str, object]:
    """Return the tool as chat completions have it."""
    inner = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        **({"strict": True} if tool.strict else {}),
    }
    return {"type": "function", "function": inner}


def in_lines(tools: tuple[Tool, ...]) -> str:
    """Render tools as Qwen's and DeepSeek's templates do, one on each line."""
    return "\n".join(as_json(function(tool)) for tool in tools)


def spread(tools: tuple[Tool, ...]) -> str:
    """Render tools as the templates of Llama do, over many lines."""
    return "\n\n".join(as_json(function(tool), indent=4) for tool in tools)


def tagged(tools: tuple[Tool, ...]) -> str:
    """Render tools in tags, as Claude is given them."""
    return "".join(
        "<function>"
        + as_json({"description": t.description, "name": t.name, "parameters": t.parameters})
        + "</function>\n"
        for t in tools
    )


def as_types(tools: tuple[Tool, ...]) -> str:
    """Render tools as types of TypeScript, as OpenAI's models are given them."""
    return "namespace functions {\n\n" + "".join(map(_function_type, tools)) + "} // namespace"


def _function_type(tool: Tool) -> str:
    lines = "\n".join(_properties(tool.parameters, 0))
    return f"// {tool.description}\ntype {tool.name} = (_: {{\n{lines}\n}}) => any;\n\n"


def _properties(schema: Mapping[str, Any], depth: int) -> Iterator[str]:
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        if inner.get("description"):
            yield f"{' ' * depth}// {inner['description']}"
        mark = "" if name in required else "?"
        default = f" // default: {inner['default']}" if "default" in inner else ""
        yield f"{' ' * depth}{name}{mark}: {_type(inner, depth)},{default}"


def _type(schema: Mapping[str, Any], depth: int) -> str:
    if schema["type"] == "object":
        lines = "\n".join(_properties(schema, depth + 2))
        return f"{{\n{lines}\n{' ' * depth}}}"
    if schema["type"] == "array":
        return f"{_type(schema['items'], depth)}[]"
    return " | ".join(as_json(one) for one in schema.get("enum", ())) or str(schema["type"])


RENDERED: Mapping[str, tuple[Callable[[tuple[Tool, ...]], str], int]] = {
    "types": (as_types, PUBLISHED_TOOL_PROMPTS["openai"]),
    "lines": (in_lines, PUBLISHED_TOOL_PROMPTS["deepseek"]),
    "spread": (spread, PUBLISHED_TOOL_PROMPTS["deepseek"]),
    "tagged": (tagged, PUBLISHED_TOOL_PROMPTS["anthropic"]),
}


def counted(request: ChatRequest, rendering: str, encoding: str) -> int:
    """Count the tokens of the whole prompt that a model would read."""

    def size(text: str) -> int:
        found = COUNTER.count(text, model=encoding)
        assert found is not None
        return found

    render, once = RENDERED[rendering]
    # Three special tokens around each message, and three that begin the answer.
    total = 3
    for message in request.messages:
        total += 3 + size(str(message.role)) + size(message.tool_call_id or "")
        for part in message.content:
            total += size(part.text) if isinstance(part, TextPart) else dearest_image()
        for call in message.tool_calls:
            # In tags, as Qwen's template writes them; OpenAI's has three special tokens instead.
            total += size(
                f'<tool_call>\n{{"name": "{call.name}", "arguments": {call.arguments}}}\n'
                f"</tool_call>{call.id}"
            )
    if request.tools:
        total += once + size(render(request.tools))
        if request.tool_choice not in ("auto", "none"):
            total += size(request.tool_choice)
    if isinstance(request.response_format, JsonSchema):
        asked = request.response_format
        # Some models are given the schema as a tool that they must call.
        as_tool = (Tool(asked.name, "", asked.schema),)
        written = f"# Response Formats\n\n## {asked.name}\n\n{as_json(asked.schema)}"
        total += max(size(written), size(render(as_tool)) + (0 if request.tools else once))
    return total


def dearest_image() -> int:
    """Count the largest image at the dearest model: gpt-4o-mini, by OpenAI's own formula."""
    return tiles_of_openai(2_048, 768) * 5_667 + 2_833


def tiles_of_openai(width: int, height: int) -> int:
    """Count the tiles: within 2 048 squared, then the shorter side at most 768, in tiles of 512."""
    fit = min(1.0, 2_048 / max(width, height))
    width, height = int(width * fit), int(height * fit)
    fit = min(1.0, 768 / max(1, min(width, height)))
    return math.ceil(width * fit / 512) * math.ceil(height * fit / 512)


@given(requests())
def test_the_bound_is_never_under_what_the_rendered_request_counts(request: ChatRequest) -> None:
    bound = bound_input_tokens(request)
    for encoding in ENCODINGS:
        exact = bound_input_tokens(request, count=partial(COUNTER.count, model=encoding))
        assert exact <= bound
        for rendering in RENDERED:
            assert counted(request, rendering, encoding) <= exact, rendering


@pytest.mark.parametrize("rendering", RENDERED)
@pytest.mark.parametrize("size", [1, 128])
def test_many_small_tools_stay_within_the_bound(rendering: str, size: int) -> None:
    tools = [Tool(f"t{number}", "", {"type": "object"}, strict=True) for number in range(size)]
    for choice in ("auto", "required", "t0"):
        request = ChatRequest("m", [user("Hi")], 10, tools=tools, tool_choice=choice)
        for encoding in ENCODINGS:
            assert counted(request, rendering, encoding) <= bound_input_tokens(request)


def test_many_calls_that_go_back_stay_within_the_bound() -> None:
    calls = [ToolCall(f"c{number}", "t", "{}") for number in range(100)]
    request = ChatRequest("m", [user("Hi"), assistant(tool_calls=calls)], 10)
    for encoding in ENCODINGS:
        assert counted(request, "lines", encoding) <= bound_input_tokens(request)


def test_what_is_added_for_tools_is_more_than_any_provider_publishes() -> None:
    assert max(PUBLISHED_TOOL_PROMPTS.values()) == PUBLISHED_TOOL_PROMPTS["anthropic"] == 804
    assert max(PUBLISHED_TOOL_PROMPTS.values()) * 5 // 4 <= TOKENS_AROUND_TOOLS


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_no_image_counts_as_more_than_is_set_aside_for_it(width: int, height: int) -> None:
    assert tiles_of_openai(width, height) * 5_667 + 2_833 <= dearest_image() <= LARGEST_IMAGE_TOKENS
