"""Conditions are built as they read, and say nothing by accident."""

import pytest

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.filter_checks import MOST_CHOICES, MOST_PARTS, checked_filter, holds
from tollkeeper.domain.filters import (
    And,
    Compare,
    Comparison,
    Everything,
    IsNull,
    Not,
    OneOf,
    Or,
    col,
)
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Column, Table

TABLE = Table("t", {"id": Kind.INTEGER, "at": Column(Kind.FLOAT, nullable=True)}, key="id")
ONE = col("id") == 1


def test_operators_make_conditions() -> None:
    assert (col("a") >= 1) == Compare("a", Comparison.GE, 1)
    assert And((ONE, ONE)) == (ONE & ONE)
    assert Or((ONE, Not(ONE))) == (ONE | ~ONE)
    assert col("a").is_in({1}) == OneOf("a", (1,))
    assert col("a").is_not_null() == Not(IsNull("a"))
    assert repr(col("a")) == "col('a')"


@pytest.mark.parametrize(
    "wrong", [lambda: ONE and ONE, lambda: bool(~ONE), lambda: not Everything()]
)
def test_conditions_are_no_truths(wrong: object) -> None:
    with pytest.raises(TypeError, match="&"):
        wrong()  # type: ignore[operator]


def test_columns_are_no_keys() -> None:
    with pytest.raises(TypeError):
        {col("a"): 1}


def test_values_become_those_of_their_columns() -> None:
    found = checked_filter(TABLE, (col("at") == 1) & col("at").is_in([2, 2.0, -0.0]))
    assert found == And((Compare("at", Comparison.EQ, 1.0), OneOf("at", (2.0, 0.0))))
    assert [type(value) for value in found.parts[1].values] == [float, float]  # type: ignore[attr-defined]


def test_the_bounds_of_a_filter() -> None:
    checked_filter(TABLE, And([ONE] * (MOST_PARTS - 1)))
    checked_filter(TABLE, col("id").is_in(range(MOST_CHOICES)))
    # The same value many times is one value.
    checked_filter(TABLE, col("id").is_in([1] * 5000))
    for where in (And([ONE] * MOST_PARTS), col("id").is_in(range(MOST_CHOICES + 1))):
        with pytest.raises(InvalidRequest) as refused:
            checked_filter(TABLE, where)
        assert refused.value.code == "invalid_filter"


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Everything(), True),
        (col("at") == 1.0, None),
        (~(col("at") == 1.0), None),
        (col("at").is_null(), True),
        (col("at").is_in([]), False),
        (col("at").is_in([1.0]), None),
        (ONE & (col("at") > 1.0), None),
        (~ONE & (col("at") > 1.0), False),
        (ONE | (col("at") > 1.0), True),
        (And(()), True),
        (Or(()), False),
    ],
    ids=str,
)
def test_what_holds_of_a_row(where: object, expected: bool | None) -> None:
    assert holds(where, {"id": 1, "at": None}) is expected  # type: ignore[arg-type]
