"""Values that the offline model makes of JSON Schemas."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tollkeeper.adapters.offline.chat_model import OfflineChatModel
from tollkeeper.adapters.offline.instances import instance_of
from tollkeeper.adapters.offline.script import pieces_of
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import (
    PortError,
    Rejected,
)
from tollkeeper.domain.messages import user
from tollkeeper.domain.tools import JsonSchema, Tool

pytestmark = pytest.mark.anyio

MODEL = OfflineChatModel()


@given(st.text())
def test_the_words_of_a_text_add_up_to_it(text: str) -> None:
    pieces = pieces_of(text)
    assert "".join(pieces) == text
    assert all(pieces)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "Rome"),
        ({"type": "string", "maxLength": 2}, "Ro"),
        ({"type": "string", "minLength": 6}, "Romexx"),
        ({"type": "integer"}, 3),
        ({"type": "number", "maximum": 2.5}, 2.5),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 3),
        ({"const": 7}, 7),
        ({"enum": ["x", "rome"]}, "rome"),
        ({"enum": [1, 2]}, 1),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [3, 3]),
        ({"type": "array", "maxItems": 0}, []),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 3),
        ({"properties": {"a": {"type": "integer"}, "b": {}}}, {"a": 3, "b": "Rome"}),
        ({"properties": {"a": {}, "b": {}}, "required": ["a"]}, {"a": "Rome"}),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}, 3),
        ({"$ref": "#/missing"}, "Rome"),
        ({"$ref": "#"}, "Rome"),
    ],
)  # fmt: skip
def test_an_instance_fits_its_schema(schema: dict[str, Any], value: object) -> None:
    assert instance_of(schema, "Tell 3 things of Rome, please") == value


async def test_a_schema_without_end_has_an_instance_all_the_same() -> None:
    node = {"$ref": "#"}
    tree = {"type": "object", "properties": {"l": node, "r": node}, "required": ["l", "r"]}
    answer = await MODEL.complete(_asking("x", response_format=JsonSchema("tree", tree)))
    assert json.loads(answer.text)


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "enum", "$ref", "anyOf", "properties", "required", "items",
                         "minItems", "maxItems", "minimum", "maximum", "minLength"]),
        inner | st.sampled_from(["object", "array", "number", "string", "#"]),
        max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["properties", "required", "items"]), _junk))
@example({"properties": {"x": {"enum": {"y": None}}}})
@example({"properties": {"x": {"anyOf": {"y": {}}}}})
async def test_a_schema_that_is_none_is_rejected(schema: dict[str, Any]) -> None:
    tool = Tool("call_me", parameters={**schema, "type": "object"})
    try:
        answer = await MODEL.complete(_asking("call_me", tools=(tool,)))
    except PortError as error:
        raised: PortError | None = error
    else:
        raised = None
        assert answer.tool_calls[0].parsed_arguments() is not None
    assert raised is None or type(raised) is Rejected


def _asking(text: str, **more: Any) -> ChatRequest:
    return ChatRequest("echo", (user(text),), 10_000, **more)
