"""Tables: nothing of what they show is lost, however narrow the terminal."""

import os
from collections.abc import Iterator

import pytest

from tollkeeper.domain.money import Money
from tollkeeper.infra.cli.output import aligned, left, print_table, right, whole

COLUMNS = [*whole("id"), *left("operation", "model"), *right("amount")]
ROWS = [
    ("key_0123456789abcdef", "audio:transcribe", "pocketsphinx/en-us", "1,234.5678"),
    ("key_fedcba9876543210", "[bold]chat[/]:complete", "offline/échö ✓ 東京", ""),
]


@pytest.fixture
def width(request: pytest.FixtureRequest) -> Iterator[int]:
    """Make the terminal so wide for one test."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(request.param)
    yield request.param
    del os.environ["COLUMNS"]
    if before is not None:
        os.environ["COLUMNS"] = before


@pytest.mark.parametrize("width", [*range(20, 100), 200], indirect=True)
def test_every_character_is_there(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Things", COLUMNS, ROWS, empty="none")
    shown = capsys.readouterr().out
    letters = sorted(c for row in ROWS for cell in row for c in cell if not c.isspace())
    rest = list(shown)
    for letter in letters:
        assert letter in rest, (width, letter)
        rest.remove(letter)
    for row in ROWS:
        assert row[0] in shown
    table = not shown.startswith("Things\n\n")
    if table:
        assert max(len(line) for line in shown.splitlines()) <= width


def test_wide_table_has_a_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Things", COLUMNS, ROWS, empty="none")
    lines = [line for line in capsys.readouterr().out.splitlines() if "key_" in line]
    assert len(lines) == 2
    assert "[bold]chat[/]:complete  offline/échö ✓ 東京" in lines[1]


def test_empty_table_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Things", COLUMNS, [], empty="there are none")
    assert capsys.readouterr().out == "there are none\n"


def test_amounts_stand_with_their_points_under_one_another() -> None:
    amounts = [Money.of("5", "USD"), None, Money.of("-0.000125", "USD")]
    assert aligned(amounts) == ["5.00     USD", "", "-0.000125 USD"]
