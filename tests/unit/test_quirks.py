"""Requests are made to fit a model's quirks: nothing is dropped in silence, nothing mutated."""

from copy import deepcopy
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.chat import REASONING_EFFORTS, ChatRequest
from tollkeeper.domain.errors import ConfigurationError, Unsupported
from tollkeeper.domain.messages import ImagePart, user
from tollkeeper.domain.quirks import NEVER_DROPPED, NO_QUIRKS, PARAMETERS, Quirks, adapt, merged
from tollkeeper.domain.tools import JsonSchema, Tool

LOOK_UP = Tool(name="look_up", strict=True)
SHAPE = JsonSchema("shape", {"type": "object"})
ASKED: dict[str, dict[str, Any]] = {
    "temperature": {"temperature": 0.5},
    "top_p": {"top_p": 0.5},
    "stop": {"stop": ["END"]},
    "seed": {"seed": 7},
    "frequency_penalty": {"frequency_penalty": 1},
    "presence_penalty": {"presence_penalty": 1},
    "parallel_tool_calls": {"parallel_tool_calls": False},
    "reasoning_effort": {"reasoning_effort": "low"},
    "reasoning_budget": {"reasoning_budget": 50},
    "top_logprobs": {"top_logprobs": 0},
    "service_tier": {"service_tier": "flex"},
    "user": {"user": "u-1"},
    "metadata": {"metadata": {"a": "b"}},
    "strict_tools": {"tools": [LOOK_UP]},
    "tools": {"tools": [LOOK_UP]},
    "tool_choice": {"tools": [LOOK_UP], "tool_choice": "required"},
    "json": {"response_format": "json"},
    "json_schema": {"response_format": SHAPE},
    "images": {"messages": [user(ImagePart(data=b"\xff\xd8\xff", media_type="image/jpeg"))]},
}
"""How each parameter is set; what a message alone can set is in test_modalities."""
NOT_ASKED = {"system", "audio", "files"}


def request(quirks: Quirks = NO_QUIRKS, **fields: Any) -> ChatRequest:
    given_fields = {"model": "m-1", "messages": [user("Hi")], "max_tokens": 100, **fields}
    return ChatRequest(quirks=quirks, **given_fields)


def refusing(*names: str) -> Quirks:
    return Quirks(unsupported=names)


def test_every_parameter_is_tried_here() -> None:
    assert ASKED.keys() | NOT_ASKED == PARAMETERS


@pytest.mark.parametrize("name", ASKED)
def test_a_parameter_that_the_model_does_not_take_is_refused_by_name(name: str) -> None:
    for asked, dialect in (
        (request(refusing(name), **ASKED[name]), NO_QUIRKS),
        (request(**ASKED[name]), refusing(name)),
    ):
        with pytest.raises(Unsupported, match=f"m-1 does not take {name.replace('_', ' ')}") as no:
            adapt(asked, dialect)
        assert no.value.code == "unsupported_parameter"


@pytest.mark.parametrize("name", ASKED)
def test_what_is_not_asked_for_is_not_refused(name: str) -> None:
    others = PARAMETERS - {name}
    if name in ("strict_tools", "tool_choice"):
        others -= {"tools", "strict_tools", "tool_choice"}
    elif name == "tools":
        others -= {"strict_tools"}
    asked = request(refusing(*others), **ASKED[name])
    assert adapt(asked) == (asked, ())


@pytest.mark.parametrize("name", sorted(ASKED.keys() - NEVER_DROPPED))
def test_a_parameter_is_dropped_with_a_warning_where_that_is_wanted(name: str) -> None:
    asked = request(refusing(name), on_unsupported="drop", **ASKED[name])
    fitted, warnings = adapt(asked)
    assert warnings == (f"{name} was dropped: m-1 does not take it",)
    assert adapt(fitted) == (fitted, ())
    plain = request(refusing(name), on_unsupported="drop")
    if name == "strict_tools":
        assert fitted == evolve(plain, tools=[evolve(LOOK_UP, strict=False)])
    else:
        assert fitted == plain


@pytest.mark.parametrize("name", sorted(ASKED.keys() & NEVER_DROPPED))
def test_what_would_change_the_question_is_refused_even_then(name: str) -> None:
    with pytest.raises(Unsupported, match="choose another model"):
        adapt(request(refusing(name), on_unsupported="drop", **ASKED[name]))


def test_a_fixed_parameter_may_have_its_one_value_and_is_not_sent() -> None:
    quirks = Quirks(fixed={"temperature": 1})
    fitted, warnings = adapt(request(quirks, temperature=1.0))
    assert (fitted.temperature, warnings) == (None, ())
    with pytest.raises(Unsupported, match="does not take temperature other than 1"):
        adapt(request(quirks, temperature=0.2))
    fitted, warnings = adapt(request(quirks, temperature=0.2, on_unsupported="drop"))
    assert (fitted.temperature, len(warnings)) == (None, 1)
    assert adapt(request(quirks)) == (request(quirks), ())


def test_an_effort_that_the_model_does_not_know_is_refused_with_those_it_does() -> None:
    quirks = Quirks(efforts=["low", "high"])
    assert adapt(request(quirks, reasoning_effort="high"))[0].reasoning_effort == "high"
    with pytest.raises(Unsupported, match="reasoning effort xhigh; it takes low, high"):
        adapt(request(quirks, reasoning_effort="xhigh"))
    fitted, warnings = adapt(request(quirks, reasoning_effort="none", on_unsupported="drop"))
    assert fitted.reasoning_effort is None
    assert warnings == ("reasoning_effort was dropped: m-1 does not take it",)


@pytest.mark.parametrize("effort", REASONING_EFFORTS)
def test_every_effort_passes_where_none_is_named(effort: str) -> None:
    asked = request(refusing("seed"), reasoning_effort=effort)
    assert adapt(asked) == (asked, ())


def test_both_the_models_quirks_and_the_dialects_hold() -> None:
    asked = request(refusing("seed"), seed=1, user="u", on_unsupported="drop")
    fitted, warnings = adapt(asked, refusing("user"), NO_QUIRKS)
    assert (fitted.seed, fitted.user) == (None, None)
    assert [warning.split()[0] for warning in warnings] == ["seed", "user"]


def test_a_parameter_is_dropped_once_whoever_refuses_it() -> None:
    asked = request(refusing("seed"), seed=1, on_unsupported="drop")
    assert len(adapt(asked, refusing("seed"))[1]) == 1


def test_a_request_that_fits_comes_back_as_it_is() -> None:
    asked = request(temperature=0.5, tools=[LOOK_UP])
    assert adapt(asked)[0] is asked
    assert adapt(asked, refusing("seed"))[0] is asked


NAMES = st.sets(st.sampled_from(sorted(PARAMETERS)))
QUIRKS = st.builds(
    Quirks,
    unsupported=NAMES,
    fixed=st.dictionaries(st.sampled_from(["temperature", "top_p"]), st.sampled_from([0.5, 1])),
    efforts=st.lists(st.sampled_from(REASONING_EFFORTS), unique=True),
    headers=st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=3)),
    extra=st.dictionaries(st.sampled_from(["x", "y"]), st.integers()),
)


@st.composite
def requests(draw: st.DrawFn) -> ChatRequest:
    fields: dict[str, Any] = {}
    for name in sorted(draw(st.sets(st.sampled_from(sorted(ASKED))))):
        fields |= ASKED[name]
    on_unsupported = draw(st.sampled_from(["refuse", "drop"]))
    return request(draw(QUIRKS), on_unsupported=on_unsupported, **fields)


@given(requests(), QUIRKS)
def test_a_request_is_never_mutated_and_fits_once_it_was_fitted(
    asked: ChatRequest, dialect: Quirks
) -> None:
    before, quirks_before = deepcopy(asked), deepcopy(dialect)
    try:
        fitted, warnings = adapt(asked, dialect)
    except Unsupported:
        fitted, warnings = asked, ()
    else:
        assert adapt(fitted, dialect) == (fitted, ())
        assert all("was dropped" in warning for warning in warnings)
        assert not warnings or asked.on_unsupported == "drop"
    assert (asked, dialect) == (before, quirks_before)
    kept = ("messages", "response_format", "tool_choice", "max_tokens", "extra", "model")
    assert all(getattr(fitted, name) == getattr(asked, name) for name in kept)


@given(st.lists(QUIRKS, max_size=4))
def test_merging_lays_the_later_over_the_earlier_and_mutates_none(sets: list[Quirks]) -> None:
    before = deepcopy(sets)
    found = merged(*sets)
    assert sets == before
    assert found.unsupported == frozenset().union(*(each.unsupported for each in sets))
    for name in ("headers", "extra", "fixed"):
        expected: dict[str, Any] = {}
        for each in sets:
            expected |= getattr(each, name)
        assert getattr(found, name) == expected
    named = [each.efforts for each in sets if each.efforts]
    assert found.efforts == (named[-1] if named else ())


def test_merging_nothing_is_no_quirks() -> None:
    assert merged() is merged(NO_QUIRKS, NO_QUIRKS) is NO_QUIRKS
    dialect = Quirks(max_tokens_field="max_completion_tokens")
    assert merged(dialect, NO_QUIRKS) == merged(NO_QUIRKS, dialect) == dialect
    assert merged(dialect, Quirks(max_tokens_field="max_tokens")).max_tokens_field == "max_tokens"


def test_a_parameter_that_does_not_exist_is_a_fault() -> None:
    with pytest.raises(ConfigurationError, match="no parameter is called heat, style; there are"):
        refusing("style", "heat", "seed")
