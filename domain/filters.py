"""Which rows: conditions on columns, with the logic of SQL.

A condition on a row is true, false or unknown: comparing null with anything is unknown, and so is
the opposite of unknown. A row is meant only if its condition is true, so ``col("age") > 3`` and
``~(col("age") > 3)`` both leave a row without an age out.
"""

from collections.abc import Iterable
from enum import StrEnum

from attrs import field, frozen


class Comparison(StrEnum):
    """How a column is compared with a value."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    STARTS_WITH = "starts_with"
    """The text begins with the value, letter by letter: no character stands for others."""
    CONTAINS = "contains"
    """The text has the value in it."""


class Filter:
    """A condition; ``&``, ``|`` and ``~`` combine conditions.

    One of :class:`Compare`, :class:`OneOf`, :class:`IsNull`, :class:`And`, :class:`Or`,
    :class:`Not` and :class:`Everything`; :func:`col` makes the first three.
    """

    __slots__ = ()

    def __and__(self, other: "Filter") -> "And":
        return And((self, other))

    def __or__(self, other: "Filter") -> "Or":
        return Or((self, other))

    def __invert__(self) -> "Not":
        return Not(self)

    def __bool__(self) -> bool:
        # `a == 1 and b == 2`, or `1 < a < 5`, would silently drop its first half.
        raise TypeError("a condition is neither true nor false; combine conditions with & | ~")


def _values(given: Iterable[object]) -> tuple[object, ...]:
    return tuple(given)


def _parts(given: Iterable[Filter]) -> tuple[Filter, ...]:
    return tuple(given)


@frozen
class Everything(Filter):
    """True of each row: what an update or a delete of a whole table must say."""


@frozen
class Compare(Filter):
    """True where the column compares so with *value*, which is no None."""

    column: str
    how: Comparison
    value: object


@frozen
class OneOf(Filter):
    """True where the column equals one of *values*, none of them None; never if none are."""

    column: str
    values: tuple[object, ...] = field(converter=_values)


@frozen
class IsNull(Filter):
    """True where the column has no value; never unknown."""

    column: str


@frozen
class And(Filter):
    """True where all of *parts* are; so it is if there are none."""

    parts: tuple[Filter, ...] = field(converter=_parts)


@frozen
class Or(Filter):
    """True where one of *parts* is; so it never is if there are none."""

    parts: tuple[Filter, ...] = field(converter=_parts)


@frozen
class Not(Filter):
    """True where *part* is false."""

    part: Filter


class Col:
    """A column in a condition: ``col("age") >= 18``."""

    __slots__ = ("name",)
    # Comparing gives a condition and not a bool, as the type of object would have it; so a column
    # is no key of a dict either.
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"col({self.name!r})"

    def __eq__(self, value: object) -> Compare:  # type: ignore[override]
        return Compare(self.name, Comparison.EQ, value)

    def __ne__(self, value: object) -> Compare:  # type: ignore[override]
        return Compare(self.name, Comparison.NE, value)

    def __lt__(self, value: object) -> Compare:
        return Compare(self.name, Comparison.LT, value)

    def __le__(self, value: object) -> Compare:
        return Compare(self.name, Comparison.LE, value)

    def __gt__(self, value: object) -> Compare:
        return Compare(self.name, Comparison.GT, value)

    def __ge__(self, value: object) -> Compare:
        return Compare(self.name, Comparison.GE, value)

    def starts_with(self, text: str) -> Compare:
        """Say that the column's text begins with *text*."""
        return Compare(self.name, Comparison.STARTS_WITH, text)

    def contains(self, text: str) -> Compare:
        """Say that the column's text has *text* in it."""
        return Compare(self.name, Comparison.CONTAINS, text)

    def is_in(self, values: Iterable[object]) -> OneOf:
        """Say that the column is one of *values*."""
        return OneOf(self.name, tuple(values))

    def is_null(self) -> IsNull:
        """Say that the column has no value."""
        return IsNull(self.name)

    def is_not_null(self) -> Not:
        """Say that the column has a value."""
        return Not(IsNull(self.name))


def col(name: str) -> Col:
    """Name a column, to say something about it."""
    return Col(name)
