"""Token usage as the OpenAI format reports it: totals that include their details."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.adapters.openai.usage import decode_usage
from tollkeeper.domain.completions import TokenUsage


def usage_of(**report: Any) -> TokenUsage | None:
    return decode_usage(json.dumps(report).encode())


def test_details_are_taken_out_of_the_totals() -> None:
    assert usage_of(
        prompt_tokens=1_000,
        completion_tokens=200,
        total_tokens=1_200,
        prompt_tokens_details={"cached_tokens": 600, "audio_tokens": 50, "cache_write_tokens": 100},
        completion_tokens_details={
            "reasoning_tokens": 120,
            "audio_tokens": 30,
            "accepted_prediction_tokens": 5,
        },
    ) == TokenUsage(
        input=250,
        cached_input=600,
        cache_write=100,
        input_audio=50,
        output=50,
        reasoning=120,
        output_audio=30,
    )


def test_reasoning_counted_beside_the_total_is_not_subtracted() -> None:
    """So do xAI and others; only the sum of all tells."""
    assert usage_of(
        prompt_tokens=32,
        completion_tokens=9,
        total_tokens=135,
        completion_tokens_details={"reasoning_tokens": 94},
    ) == TokenUsage(input=32, output=9, reasoning=94)


def test_the_cache_is_found_where_other_providers_report_it() -> None:
    found = usage_of(prompt_tokens=10, completion_tokens=1, prompt_cache_hit_tokens=8)
    assert found == TokenUsage(input=2, cached_input=8, output=1)


def test_zero_is_a_report() -> None:
    assert usage_of(prompt_tokens=0, completion_tokens=0) == TokenUsage()


def test_details_may_be_missing_or_null() -> None:
    expected = TokenUsage(input=3, output=4)
    details = {"cached_tokens": None, "audio_tokens": None}
    assert usage_of(prompt_tokens=3, completion_tokens=4) == expected
    assert (
        usage_of(
            prompt_tokens=3,
            completion_tokens=4,
            total_tokens=None,
            prompt_tokens_details=None,
            completion_tokens_details=details,
        )
        == expected
    )


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"prompt_tokens": 3},
        {"prompt_tokens": -1, "completion_tokens": 1},
        {"prompt_tokens": "3", "completion_tokens": 1},
        {"prompt_tokens": 3.5, "completion_tokens": 1},
        {"prompt_tokens": True, "completion_tokens": 1},
        {
            "prompt_tokens": 3,
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
        {
            "prompt_tokens": 3,
            "completion_tokens": 1,
            "total_tokens": 4,
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
        {
            "prompt_tokens": 3,
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": -1},
        },
    ],
)
def test_a_report_that_cannot_be_charged_is_none(report: dict[str, Any]) -> None:
    assert usage_of(**report) is None


@pytest.mark.parametrize("raw", [b"null", b"[]", b"7", b"", b'"x"', b"\xff", b"{" * 10_000])
def test_what_is_no_report_is_none(raw: bytes) -> None:
    assert decode_usage(raw) is None


_counts = st.integers(min_value=0, max_value=10**9)


@given(read=_counts, cached=_counts, written=_counts, reasoning=_counts)
def test_the_pools_add_up_to_what_was_reported(
    read: int, cached: int, written: int, reasoning: int
) -> None:
    found = usage_of(
        prompt_tokens=read + cached,
        completion_tokens=written + reasoning,
        total_tokens=read + cached + written + reasoning,
        prompt_tokens_details={"cached_tokens": cached},
        completion_tokens_details={"reasoning_tokens": reasoning},
    )
    assert found == TokenUsage(input=read, cached_input=cached, output=written, reasoning=reasoning)
    assert found.total == read + cached + written + reasoning
