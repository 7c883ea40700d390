"""Fingerprints: what says the same has the same, what says anything else has another."""

import math
import os
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from attrs import evolve, field, frozen, make_class
from hypothesis import given, settings
from hypothesis import strategies as st

from tollkeeper import AudioPart, FilePart, ImagePart, JsonSchema, PromptCache, Tool, user
from tollkeeper.application.fingerprints import digest, fingerprint
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.embeddings import EmbeddingRequest
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.messages import Message, ReasoningPart, TextPart, assistant, system
from tollkeeper.domain.quirks import Quirks

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)


def _meaning(value: Any) -> Any:
    """Say what *value* means in a way of our own, to compare."""
    if isinstance(value, Mapping):
        return ("object", frozenset((key, _meaning(each)) for key, each in value.items()))
    if isinstance(value, list | tuple):
        return ("list", tuple(map(_meaning, value)))
    return (type(value).__name__ if not isinstance(value, float) else "int", value)


def _respelled(value: Any, draw: Any) -> Any:
    """Say the same in other words."""
    if isinstance(value, dict):
        pairs = [(key, _respelled(each, draw)) for key, each in value.items()]
        return draw(st.sampled_from([dict, OrderedDict]))(draw(st.permutations(pairs)))
    if isinstance(value, list):
        return draw(st.sampled_from([list, tuple]))(_respelled(each, draw) for each in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if value == 0:
        return draw(st.sampled_from([0, 0.0, -0.0]))
    if isinstance(value, float):
        return int(value) if value.is_integer() and draw(st.booleans()) else value
    return float(value) if abs(value) < 2**53 and draw(st.booleans()) else value


@given(VALUES, st.data())
def test_what_says_the_same_in_other_words_has_the_same_digest(value: Any, data: Any) -> None:
    assert digest(_respelled(value, data.draw)) == digest(value)


@settings(max_examples=300)
@given(VALUES, VALUES)
def test_two_values_have_the_same_digest_only_if_they_mean_the_same(one: Any, two: Any) -> None:
    assert (digest(one) == digest(two)) == (_meaning(one) == _meaning(two))


@given(st.lists(SCALARS, max_size=4), st.data())
def test_how_values_are_grouped_counts(values: list[Any], data: Any) -> None:
    cut = data.draw(st.integers(0, len(values)))
    assert digest([values[:cut], values[cut:]]) != digest([values])
    assert digest([*values, None]) != digest(values)


_DIFFERENT: list[Any] = [
    *(None, True, False, 1, 0, 2, -1, 0.5, math.inf, -math.inf, 2**64, 2**53 + 1, float(2**53)),
    *("", "1", "True", "None", "0.5", b"", b"1", (), ("",), ("", ""), ("1",), (1,), ((1,),)),
    *({}, {"": None}, {"1": None}, {1: None}, {1.0: None}, {True: None}, {None: None}, {"a": 1}),
    *({"a": "1"}, {"a": None}, {"b": 1}, {"a": 1, "b": 1}, {"a": {"b": 1}}, [["a", 1]], ["a", 1]),
    *(frozenset(), frozenset({"a"}), frozenset({"a", "b"}), ["a"], ["b", "a"]),
]


def test_no_two_of_these_are_taken_for_one_another() -> None:
    digests = [digest(value) for value in _DIFFERENT]
    assert len(set(digests)) == len(_DIFFERENT)


class _Colour(StrEnum):
    RED = "red"


class _Rank(IntEnum):
    FIRST = 1


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (_Colour.RED, "red"),
        ({_Colour.RED: 1}, {"red": 1}),
        (_Rank.FIRST, 1),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        ({"a", "b"}, frozenset({"b", "a"})),
        (1e300, int(1e300)),
        ("\ud800", "\ud800"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_stands_for_the_same_is_the_same(one: Any, two: Any) -> None:
    assert digest(one) == digest(two)


@pytest.mark.parametrize(
    "value",
    [object(), len, math.nan, 1j, {(1,): 2}, {frozenset(): 1}, [object()]],
    ids=["object", "function", "nan", "complex", "tuple-key", "set-key", "object-inside"],
)
def test_what_cannot_be_told_apart_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        digest(value)
    assert " at 0x" not in str(caught.value)


def test_keys_of_several_kinds_do_not_trouble_it() -> None:
    assert digest({1: "a", "b": 2, None: 3}) == digest({None: 3, "b": 2, 1: "a"})


def test_a_deep_value_is_no_trouble() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    deeper = [deep]
    try:
        assert digest(deeper) != digest(deep)
    finally:
        while deep:  # or else Python takes it apart recursively
            deep = deep.pop()


@given(OBJECTS, st.data())
def test_equal_requests_have_equal_fingerprints(extra: dict[str, Any], data: Any) -> None:
    def request(spelled: Any, temperature: float) -> ChatRequest:
        return ChatRequest(
            "m",
            [user("Hello")],
            5,
            temperature=temperature,
            extra=spelled,
            tools=[Tool("t", parameters={**spelled, "type": "object"})],
            response_format=JsonSchema("s", spelled),
        )

    again = MappingProxyType(_respelled(extra, data.draw))
    assert fingerprint(request(extra, 1)) == fingerprint(request(again, 1.0))


BASE = ChatRequest(
    "m",
    [system("Be brief."), user(["Look", ImagePart(data=b"png"), FilePart("a", data=b"pdf")])],
    100,
    temperature=1,
    stop=["x"],
    tools=[Tool("a")],
    metadata={"a": "b"},
    extra={"n": 1, "list": [1, 2], "none": None},
    reasoning_budget=10,
    prompt_cache=PromptCache(),
)
_CHANGES: list[dict[str, Any]] = [
    {"messages": [user("Be brief.")]},
    {"messages": BASE.messages[:1]},
    {"messages": [*BASE.messages, user("More")]},
    {"messages": tuple(reversed(BASE.messages))},
    {"messages": [BASE.messages[0], user(["Look", ImagePart(data=b"PNG")])]},
    {"messages": [BASE.messages[0], user(["Look", AudioPart(b"png")])]},
    {"messages": [assistant(reasoning=[ReasoningPart("Look")]), user("x")]},
    {"messages": [assistant("Look"), user("x")]},
    {"max_tokens": 101},
    {"temperature": 1.5},
    {"temperature": None},
    {"temperature": 0},
    {"top_p": 1},
    {"stop": ["y"]},
    {"stop": ["x", "x"]},
    {"stop": []},
    {"seed": 0},
    {"tools": []},
    {"tools": [Tool("a", strict=True)]},
    {"tools": [Tool("a", parameters={"type": "object"})]},
    {"tool_choice": "required"},
    {"tool_choice": "a"},
    {"response_format": "json"},
    {"response_format": JsonSchema("json", {})},
    {"frequency_penalty": 0},
    {"presence_penalty": 0},
    {"parallel_tool_calls": False},
    {"parallel_tool_calls": True},
    {"reasoning_effort": "low"},
    {"reasoning_budget": 11},
    {"top_logprobs": 0},
    {"service_tier": "auto"},
    {"user": "1"},
    {"metadata": {"b": "a"}},
    {"metadata": {}},
    {"extra": {"n": True, "list": [1, 2], "none": None}},
    {"extra": {"n": "1", "list": [1, 2], "none": None}},
    {"extra": {"n": 1, "list": [2, 1], "none": None}},
    {"extra": {"n": 1, "list": [1, 2]}},
    {"prompt_cache": None},
    {"prompt_cache": PromptCache(ttl="1h")},
    {"on_unsupported": "drop"},
]


def test_a_changed_request_has_another_fingerprint_and_no_two_changes_the_same() -> None:
    requests = [BASE, *(evolve(BASE, **change) for change in _CHANGES)]
    assert len({fingerprint(request) for request in requests}) == len(requests)
    touched = {name for change in _CHANGES for name in change}
    assert touched == {each.name for each in ChatRequest.__attrs_attrs__} - {"model", "quirks"}


def test_the_model_is_no_part_of_what_is_asked_of_it() -> None:
    known = evolve(BASE, model="n", quirks=Quirks(unsupported=["seed", "user"], fixed={"top_p": 1}))
    assert fingerprint(known) == fingerprint(BASE)
    assert digest(known) != digest(BASE)
    assert digest(evolve(known, model="m")) != digest(BASE)


def test_what_the_house_fills_in_does_not_count() -> None:
    none = {"max_tokens": None, "prompt_cache": None, "on_unsupported": None}
    one = evolve(BASE, max_tokens=50, prompt_cache=None, on_unsupported="drop")
    assert fingerprint(one, own=none) == fingerprint(BASE, own=none)
    for name, value in (
        ("max_tokens", 50),
        ("prompt_cache", PromptCache()),
        ("on_unsupported", "refuse"),
    ):
        assert fingerprint(BASE, own={**none, name: value}) != fingerprint(BASE, own=none)


def test_requests_of_different_kinds_differ() -> None:
    @frozen
    class Other:
        texts: tuple[str, ...]

    assert fingerprint(EmbeddingRequest("m", ["a"])) != fingerprint(Other(("a",)))
    assert digest(TextPart("a")) != digest({"text": "a"})


def test_a_field_that_a_later_version_adds_changes_nothing_until_it_is_used() -> None:
    old = make_class("Asked", {"a": field(), "b": field(factory=dict)})
    new = make_class(
        "Asked",
        {"a": field(), "b": field(factory=dict), "c": field(default=()), "d": field(default="x")},
    )
    assert digest(old(1)) == digest(new(1)) == digest(new(1, MappingProxyType({}), []))
    assert digest(old(1, {"k": 1})) != digest(old(1))
    assert digest(new(1, c=None)) != digest(new(1))
    assert digest(new(1, d="y")) != digest(new(1))


_NAMES = "seed", "user", "stop", "top_p"
_PRINT = """
from tests.application.test_fingerprints import _NAMES, BASE, Quirks, digest, fingerprint
print(fingerprint(BASE), digest(Quirks(unsupported=list(_NAMES))))
"""


def test_every_process_finds_the_same() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", _PRINT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert found == {f"{fingerprint(BASE)} {digest(Quirks(unsupported=list(_NAMES)))}\n"}


def test_keys_that_were_used_with_an_earlier_version_stay_good() -> None:
    """Keys hold for ever: who changes this digest makes every replay a conflict."""
    asked = ChatRequest("m", [Message(system("x").role, "x"), user("Hi")], 9, temperature=0.5)
    assert fingerprint(asked, own={"max_tokens": 9}) == (
        "fc60e677568ab6557a4dc52aa632f9ceb435ec1377a3ffde717d6d4d724a265e"
    )
