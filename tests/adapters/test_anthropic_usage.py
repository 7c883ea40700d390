"""The provider's count of tokens, in pools of which no token is in two."""

import json
from typing import Any

import pytest

from tollkeeper.adapters.anthropic.usage import decode_usage, pools_of
from tollkeeper.domain.completions import TokenUsage


def pools(usage: object) -> TokenUsage | None:
    return pools_of(decode_usage(json.dumps(usage).encode()))


def test_the_input_leaves_out_the_cache_and_the_output_holds_the_reasoning() -> None:
    assert pools(
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 900,
            "cache_creation_input_tokens": 50,
            "output_tokens": 70,
            "output_tokens_details": {"thinking_tokens": 60},
        }
    ) == TokenUsage(input=10, output=10, cached_input=900, cache_write=50, reasoning=60)


@pytest.mark.parametrize(
    ("written", "minutes", "hour", "expected"),
    [
        (50, 50, 0, (50, 0)),
        (50, 20, 30, (20, 30)),
        (None, 20, 30, (20, 30)),
        (80, 20, 30, (50, 30)),
    ],
)
def test_what_is_kept_for_an_hour_is_told_apart(
    written: int | None, minutes: int, hour: int, expected: tuple[int, int]
) -> None:
    found = pools(
        {
            "input_tokens": 1,
            "output_tokens": 1,
            "cache_creation_input_tokens": written,
            "cache_creation": {
                "ephemeral_5m_input_tokens": minutes,
                "ephemeral_1h_input_tokens": hour,
            },
        }
    )
    assert found is not None
    assert (found.cache_write, found.cache_write_1h) == expected
    assert found.total == 2 + sum(expected)


def test_an_explicit_zero_is_a_report() -> None:
    assert pools({"input_tokens": 0, "output_tokens": 0}) == TokenUsage()


@pytest.mark.parametrize(
    "usage",
    [
        None,
        "many",
        {},
        {"input_tokens": 1},
        {"output_tokens": 1},
        {"input_tokens": -1, "output_tokens": 1},
        {"input_tokens": 1, "output_tokens": 2**63},
        {"input_tokens": 1.5, "output_tokens": 1},
        {"input_tokens": 1, "output_tokens": 1, "output_tokens_details": {"thinking_tokens": 2}},
        {
            "input_tokens": 1,
            "output_tokens": 1,
            "cache_creation_input_tokens": 5,
            "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 2},
        },
    ],
)
def test_a_count_that_is_missing_or_contradicts_itself_is_no_report(usage: Any) -> None:
    assert pools(usage) is None
