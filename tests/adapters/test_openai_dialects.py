"""What goes out in each dialect, without a network."""

import json
from typing import Any

import attrs
import pytest

from tests.adapters.openai_calls import ASKED, sent
from tollkeeper.adapters.openai.dialects import (
    DIALECTS,
    GEMINI,
    GROQ,
    OPENAI,
    OPENROUTER,
    XAI,
    Dialect,
    dialect_for,
)
from tollkeeper.adapters.openai.encoding import encode_request, fitted
from tollkeeper.adapters.wire.headers import checked_headers
from tollkeeper.domain.errors import ConfigurationError, Unsupported
from tollkeeper.domain.quirks import Quirks
from tollkeeper.domain.tools import Tool

EACH = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)


@pytest.mark.parametrize(
    ("base_url", "provider", "named", "expected"),
    [
        ("https://api.openai.com/v1", None, None, "openai"),
        ("https://API.GROQ.com/openai/v1", None, None, "groq"),
        ("https://openrouter.ai/api/v1", "openai", None, "openrouter"),
        ("https://api.x.ai/v1", None, None, "xai"),
        ("https://api.morphllm.com/v1", None, None, "morph"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "mine", None, "gemini"),
        ("http://127.0.0.1:8000/v1", "groq", None, "groq"),
        ("http://127.0.0.1:8000/v1", "openai", None, "openai"),
        ("http://127.0.0.1:11434/v1", None, None, "compatible"),
        ("http://127.0.0.1:11434/v1", "ollama", None, "compatible"),
        ("https://api.openai.com.example.org/v1", None, None, "compatible"),
        ("https://api.openai.com/v1", "groq", "compatible", "compatible"),
    ],
)
def test_the_dialect_is_named_or_told_by_the_host_or_by_the_provider(
    base_url: str, provider: str | None, named: str | None, expected: str
) -> None:
    assert dialect_for(base_url, provider=provider, named=named).name == expected


def test_a_dialect_that_nobody_speaks_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="groq"):
        dialect_for("https://host/v1", named="klingon")


FULL: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.5,
    "stop": ("END",),
    "seed": 7,
    "tools": (Tool("f", strict=True),),
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
    "reasoning_budget": 1_024,
    "top_logprobs": 2,
    "service_tier": "flex",
    "user": "u-1",
    "metadata": {"job": "7"},
}


@EACH
def test_every_parameter_is_sent_or_refused_never_lost(dialect: Dialect) -> None:
    for name, value in FULL.items():
        tools = (Tool("f"),) if name == "parallel_tool_calls" else ()
        asked: dict[str, Any] = {"tools": tools, name: value}
        called = "strict_tools" if name == "tools" else name
        unsent = name == "metadata" or called in dialect.quirks.unsupported
        if unsent:
            with pytest.raises(Unsupported, match=called.replace("_", " ")) as refusal:
                sent(dialect, **asked)
            assert refusal.value.code == "unsupported_parameter"
            continue
        body = sent(dialect, **asked)
        assert body.keys() > sent(dialect, tools=tools).keys(), name


@EACH
def test_what_may_be_dropped_is_dropped_with_a_warning_each(dialect: Dialect) -> None:
    request = attrs.evolve(ASKED, **FULL, on_unsupported="drop")
    fit, warnings = fitted(request, dialect)
    dropped = {warning.partition(" ")[0] for warning in warnings}
    assert dropped >= dialect.quirks.unsupported - {"audio", "files"}
    assert all(warning.endswith("m does not take it") for warning in warnings)
    body = json.loads(encode_request(fit, stream=True, dialect=dialect))
    for name in dropped - {"strict_tools", "top_logprobs", "reasoning_budget"}:
        assert name not in body
    assert request == attrs.evolve(ASKED, **FULL, on_unsupported="drop"), "left as it was"


@EACH
def test_one_field_bounds_what_is_written_and_the_models_quirk_goes_first(
    dialect: Dialect,
) -> None:
    fields = {"max_tokens", "max_completion_tokens"}
    assert sent(dialect)[dialect.max_tokens_field] == 4_096
    assert len(sent(dialect).keys() & fields) == 1
    for name in fields:
        body = sent(dialect, quirks=Quirks(max_tokens_field=name))
        assert body.keys() & fields == {name}
    with pytest.raises(Unsupported, match="max_tokens_field"):
        sent(dialect, quirks=Quirks(max_tokens_field="messages"))


def test_usage_is_asked_for_as_the_server_wants_it() -> None:
    for dialect in DIALECTS.values():
        whole = json.loads(encode_request(ASKED, stream=False, dialect=dialect))
        streamed = json.loads(encode_request(ASKED, stream=True, dialect=dialect))
        if dialect is OPENROUTER:
            assert whole["usage"] == streamed["usage"] == {"include": True}
            assert "stream_options" not in streamed
        else:
            assert "stream_options" not in whole
            assert streamed["stream_options"] == {"include_usage": True}


def test_reasoning_is_asked_for_as_the_provider_wants_it() -> None:
    low: dict[str, Any] = {"reasoning_effort": "low"}
    budget: dict[str, Any] = {"reasoning_budget": 1_024}
    assert sent(OPENAI, **low)["reasoning_effort"] == "low"
    assert sent(XAI, **low)["reasoning_effort"] == "low"
    groq = sent(GROQ, model="qwen/qwen3-32b", **low)
    assert (groq["reasoning_effort"], groq["reasoning_format"]) == ("low", "parsed")
    assert "reasoning_format" not in sent(GROQ, model="openai/gpt-oss-120b", **low)
    assert "reasoning_format" not in sent(GROQ)
    assert sent(OPENROUTER, **low)["reasoning"] == {"effort": "low"}
    assert sent(OPENROUTER, **budget)["reasoning"] == {"max_tokens": 1_024}
    assert sent(GEMINI, **low)["reasoning_effort"] == "low"
    thinking = {"google": {"thinking_config": {"thinking_budget": 1_024}}}
    assert sent(GEMINI, **budget)["extra_body"] == thinking


@pytest.mark.parametrize("dialect", [OPENROUTER, GEMINI], ids=lambda dialect: dialect.name)
def test_effort_and_budget_are_not_both_taken(dialect: Dialect) -> None:
    both: dict[str, Any] = {"reasoning_effort": "low", "reasoning_budget": 1_024}
    with pytest.raises(Unsupported, match="reasoning effort"):
        sent(dialect, **both)
    assert sent(dialect, **both, on_unsupported="drop") == sent(
        dialect, reasoning_budget=1_024, on_unsupported="drop"
    )


@pytest.mark.parametrize(
    ("dialect", "effort"), [(GROQ, "minimal"), (OPENROUTER, "max"), (XAI, "minimal")]
)
def test_an_effort_that_the_provider_does_not_know_is_refused(
    dialect: Dialect, effort: str
) -> None:
    with pytest.raises(Unsupported, match=f"{effort}; it takes none"):
        sent(dialect, reasoning_effort=effort)


def test_probabilities_are_asked_for_with_their_number() -> None:
    body = sent(OPENAI, top_logprobs=0)
    assert (body["logprobs"], body["top_logprobs"]) == (True, 0)


def test_metadata_goes_only_to_answers_that_the_caller_has_stored() -> None:
    with pytest.raises(Unsupported, match="metadata"):
        sent(OPENAI, metadata={"job": "7"}, extra={"store": False})
    body = sent(OPENAI, metadata={"job": "7"}, extra={"store": True})
    assert (body["metadata"], body["store"]) == ({"job": "7"}, True)
    body = sent(OPENAI, metadata={"job": "7"}, quirks=Quirks(extra={"store": True}))
    assert body["store"] is True


def test_what_is_added_to_an_object_of_the_request_loses_nothing_of_it() -> None:
    cached = {"extra_body": {"google": {"cached_content": "c", "thinking_config": {"shown": True}}}}
    assert sent(GEMINI, reasoning_budget=1_024, extra=cached)["extra_body"]["google"] == {
        "cached_content": "c",
        "thinking_config": {"thinking_budget": 1_024, "shown": True},
    }
    hidden = {"reasoning": {"exclude": True}}
    body = sent(OPENROUTER, reasoning_effort="low", extra=hidden)
    assert body["reasoning"] == {"effort": "low", "exclude": True}
    assert hidden == {"reasoning": {"exclude": True}}
    other = {"reasoning": {"effort": "high"}}
    assert sent(OPENROUTER, reasoning_effort="low", extra=other)["reasoning"] == other["reasoning"]
    assert sent(OPENROUTER, reasoning_effort="low", extra={"reasoning": 1})["reasoning"] == 1


def test_the_quirks_extra_lies_beneath_the_requests_own() -> None:
    quirks = Quirks(extra={"a": 1, "b": 1})
    body = sent(OPENAI, quirks=quirks, extra={"b": 2})
    assert (body["a"], body["b"]) == (1, 2)
    with pytest.raises(Unsupported, match="model"):
        sent(OPENAI, quirks=Quirks(extra={"model": "another"}))


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "host", "Content-Length", "content-type", "Transfer-Encoding"),
        *("Cookie", "X-Api-Key", "api-key", "Proxy-Authorization", "Accept-Encoding"),
        *("a b", "", "a\r\nb"),
    ],
)
def test_quirks_cannot_touch_the_key_or_the_framing(name: str) -> None:
    with pytest.raises(Unsupported):
        checked_headers({name: "x"})


@pytest.mark.parametrize("value", ["a\r\nAuthorization: x", "ü", "\x00"])
def test_a_header_holds_nothing_that_ends_it(value: str) -> None:
    with pytest.raises(Unsupported):
        checked_headers({"X-Beta": value})
    assert checked_headers({"X-Beta": "on"}) == {"X-Beta": "on"}
