"""What measures the time of refusals finds a comparison that tells where it stopped (T2)."""

import math
import random
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import timing

ROOT = Path(__file__).parents[2]
RIGHT = bytes(64)


def stops_early(given: bytes) -> bool:
    """Compare byte by byte, and leave at the first that differs."""
    return all(one == other for one, other in zip(given, RIGHT, strict=True))


def test_a_comparison_that_leaves_early_is_found_out() -> None:
    """The statistic that is printed for ours tells a leak apart, so that it says something (T2)."""
    early, late = b"\1" + RIGHT[1:], RIGHT[:-1] + b"\1"
    took = timing.measured(
        {"first": lambda: stops_early(early), "last": lambda: stops_early(late)}, 2000
    )
    assert {name: len(each) for name, each in took.items()} == {"first": 2000, "last": 2000}
    [found] = timing.verdicts(took)
    assert not found.passes
    assert found.t < -timing.THRESHOLD


def test_the_statistic_is_that_of_welch() -> None:
    # By hand: means 3 and 6, variances 2.5 and 10, five of each.
    assert timing.welch([1, 2, 3, 4, 5], [2, 4, 6, 8, 10]) == pytest.approx(-3 / math.sqrt(2.5))
    assert timing.welch([1, 1], [1, 1]) == 0
    assert timing.welch([2, 2], [1, 1]) == math.inf


def test_one_and_the_same_is_not_told_apart() -> None:
    draw = random.Random(5)
    took = {name: [int(draw.gauss(3000, 300)) for _ in range(20_000)] for name in ("a", "b")}
    [found] = timing.verdicts(took)
    assert found.passes


def test_what_is_slowest_of_all_is_left_out() -> None:
    one, other = timing.cropped([*range(100)], [*range(100, 200)])
    assert (one, other) == ([*range(100)], [*range(100, 181)])


def test_none_of_the_kinds_is_right() -> None:
    kinds = timing.comparisons()
    assert [*kinds] == ["wrong first byte", "wrong last byte", "unknown kid", "wrong secret"]
    assert not any(work() for work in kinds.values())


def test_the_command_prints_each_statistic() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.timing", "--samples", "200"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("|t| =") == 6
    assert "% apart" in done.stdout
