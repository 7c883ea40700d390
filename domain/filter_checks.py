"""What a condition may say of a table, and whether it is true of a row."""

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from attrs import define

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.filters import (
    And,
    Compare,
    Comparison,
    Everything,
    Filter,
    IsNull,
    Not,
    OneOf,
    Or,
)
from tollkeeper.domain.table_values import Kind, checked_value
from tollkeeper.domain.tables import Row, Table

MOST_PARTS = 500
"""How many conditions a filter may have."""
MOST_CHOICES = 1000
"""How many values its lists may have together: as many as a page has rows."""
DEEPEST = 40
_OF_TEXT = (Comparison.STARTS_WITH, Comparison.CONTAINS)


def checked_filter(table: Table, where: Filter) -> Filter:
    """Return *where* with each value as its column keeps it.

    Raises:
        InvalidRequest: it names no column of the table (code ``unknown_column``), compares with
            a value of another kind (``invalid_value``), with null or a column of kind JSON, or
            has more than 500 conditions, 1,000 values in lists or 40 levels (``invalid_filter``).
    """
    return _Check(table).of(where, 0)


@define
class _Check:
    table: Table
    parts: int = 0
    choices: int = 0

    def of(self, where: object, depth: int) -> Filter:
        self.parts += 1
        if self.parts > MOST_PARTS or depth > DEEPEST:
            raise _malformed(f"a filter has at most {MOST_PARTS} conditions, {DEEPEST} levels deep")
        match where:
            case Everything():
                return where
            case IsNull(column):
                self.table.column(column)
                return where
            case Compare(column, how, value):
                return Compare(column, how, self._value(column, value, how))
            case OneOf(column, values):
                self._comparable(column)
                # Two of the same say nothing more, and hide how large the filter is.
                kept = tuple(dict.fromkeys(self._value(column, value) for value in values))
                self.choices += len(kept)
                if self.choices > MOST_CHOICES:
                    raise _malformed(
                        f"a filter's lists have at most {MOST_CHOICES} values; ask several times"
                    )
                return OneOf(column, kept)
            case And(parts):
                return And(tuple(self.of(part, depth + 1) for part in parts))
            case Or(parts):
                return Or(tuple(self.of(part, depth + 1) for part in parts))
            case Not(part):
                return Not(self.of(part, depth + 1))
        raise _malformed("where must be made of conditions, such as col('age') > 3")

    def _value(self, column: str, value: object, how: Comparison = Comparison.EQ) -> object:
        kind = self._comparable(column)
        if not isinstance(how, Comparison):
            raise _malformed("a column is compared in one of the ways of Comparison")
        if value is None:
            raise _malformed(f"nothing compares with null; write col('{column}').is_null()")
        if how in _OF_TEXT and kind is not Kind.TEXT:
            raise _malformed(f"{column} is no text: it neither starts with nor contains one")
        return checked_value(kind, value, field=column)

    def _comparable(self, column: str) -> Kind:
        kind = self.table.column(column).kind
        if kind is Kind.JSON:
            raise _malformed(f"{column} is JSON: it can be null, and compares with nothing")
        return kind


def _malformed(text: str) -> InvalidRequest:
    return InvalidRequest(text, code="invalid_filter")


def _starts_with(value: str, start: str) -> bool:
    return value.startswith(start)


def _contains(value: str, part: str) -> bool:
    return part in value


_COMPARE: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.EQ: eq,
    Comparison.NE: ne,
    Comparison.LT: lt,
    Comparison.LE: le,
    Comparison.GT: gt,
    Comparison.GE: ge,
    Comparison.STARTS_WITH: _starts_with,
    Comparison.CONTAINS: _contains,
}


def holds(where: Filter, row: Row) -> bool | None:
    """Say whether the checked condition is true of *row*; None if that is unknown."""
    match where:
        case IsNull(column):
            return row[column] is None
        case Compare(column, how, value):
            found = row[column]
            return None if found is None else _COMPARE[how](found, value)
        case OneOf(column, values):
            # Among no values, not even null is sought in vain: the answer is no.
            return (None if row[column] is None else row[column] in values) if values else False
        case And(parts):
            answers = [holds(part, row) for part in parts]
            return False if False in answers else None if None in answers else True
        case Or(parts):
            answers = [holds(part, row) for part in parts]
            return True if True in answers else None if None in answers else False
        case Not(part):
            answer = holds(part, row)
            return None if answer is None else not answer
    return True
