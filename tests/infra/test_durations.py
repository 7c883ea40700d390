"""Durations as people write them."""

from datetime import timedelta

import pytest

from tollkeeper.infra.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("90s", timedelta(seconds=90)),
        ("2m", timedelta(minutes=2)),
        ("24 h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("0s", timedelta(0)),
    ],
)
def test_a_number_and_its_unit_are_a_duration(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    ["", "90", "s", "-1s", "1.5s", "1 week", "1S", "1m30s", "\u0661s", "1s\n", "9" * 10 + "s",
     90, None, timedelta(1), ["90s"]],
    ids=repr,
)  # fmt: skip
def test_anything_else_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="such as 90s, 2m, 24h or 7d"):
        parse_duration(text)
