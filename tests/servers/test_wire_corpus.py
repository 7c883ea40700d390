"""The corpus of recorded shapes agrees with itself, and with the words of the domain."""

import json
from collections import Counter

import attrs
import pytest

from tests.servers.wire.answer import Pools
from tests.servers.wire.reading import Heard, read_stream, read_whole
from tests.servers.wire.sse import read_events
from tests.wire.corpus import PROVIDERS, Example, Expected, examples
from tollkeeper.domain import completions, errors

ANSWERS = [example for example in examples() if example.expected.error is None]


def test_each_provider_has_its_examples() -> None:
    needed = {"openai", "anthropic", "groq", "openrouter", "xai", "morph", "gemini"}
    assert needed <= set(PROVIDERS)
    counts = Counter(example.provider for example in examples() if not example.expected.error)
    assert min(counts.values()) >= 7
    for provider in PROVIDERS:
        names = " ".join(f"{example.name} " for example in examples(provider))
        for needed_one in ("text ", "tool-call ", "parallel-tool-calls", "cached ", "length "):
            assert needed_one in names
        for failure in ("401", "429", "500", "context-overflow", "unknown-model", "quota"):
            assert f"error-{failure} " in names


@pytest.mark.parametrize("example", ANSWERS, ids=lambda example: example.id)
def test_an_answer_reads_as_expected_whole_and_streamed(example: Example) -> None:
    expected = _heard(example.expected)
    if example.body is not None:
        assert read_whole(example.provider, example.body) == expected
    if example.stream is not None:
        assert read_stream(example.provider, example.stream) == expected


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.id)
def test_an_error_is_one_of_the_domain_and_a_body_is_json(example: Example) -> None:
    expected = example.expected
    if expected.error is not None:
        kind = getattr(errors, expected.error)
        assert issubclass(kind, errors.TollkeeperError)
        assert expected.code in (None, kind.default_code, *_CODES)
        assert (example.status >= 400) is (example.body is not None and example.status != 200)
    else:
        assert completions.FinishReason(expected.finish_reason or "")
    if example.body is not None:
        assert json.loads(example.body)
    if example.stream is not None:
        assert example.stream.endswith(b"\n\n")
        assert read_events(example.stream)


_CODES = ("provider_quota_exhausted", "model_not_found", "request_too_large")


def test_the_pools_have_the_names_of_the_domain() -> None:
    known = {field.name for field in attrs.fields(completions.TokenUsage)}
    for example in examples():
        if example.expected.usage is not None:
            assert attrs.asdict(example.expected.usage).keys() <= known


def _heard(expected: Expected) -> Heard:
    calls = tuple(
        (call.name, json.dumps(dict(call.arguments), ensure_ascii=False, sort_keys=True))
        for call in expected.tool_calls
    )
    usage = expected.usage
    return Heard(
        expected.text,
        expected.reasoning,
        calls,
        expected.refusal,
        expected.finish_reason or "",
        None if usage is None else Pools(**attrs.asdict(usage)),
    )
