"""Cursors lead back to the place they were made at, and to no other."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.cursors import read_cursor, write_cursor
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.table_values import Kind, checked_value
from tollkeeper.domain.tables import Column, Table

KINDS = [kind for kind in Kind if kind is not Kind.JSON]
TABLE = Table(
    "t", {"id": Kind.INTEGER, **{kind: Column(kind, nullable=True) for kind in KINDS}}, key="id"
)
VALUES = {
    Kind.BOOLEAN: st.booleans(),
    Kind.INTEGER: st.integers(-(1 << 63), (1 << 63) - 1),
    Kind.FLOAT: st.floats(allow_nan=False, allow_infinity=False),
    Kind.DECIMAL: st.decimals(allow_nan=False, allow_infinity=False, places=20, max_value=10**40),
    Kind.TEXT: st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    Kind.BYTES: st.binary(),
    Kind.TIME: st.datetimes(timezones=st.just(UTC)),
    Kind.DATE: st.dates(),
    Kind.UUID: st.uuids(),
}


@given(st.fixed_dictionaries({kind: st.none() | VALUES[kind] for kind in KINDS}))
def test_every_value_comes_back(place: dict[Kind, object]) -> None:
    values = [checked_value(kind, value, field="x") for kind, value in place.items()]
    cursor = write_cursor(TABLE, "question", values)
    read = read_cursor(TABLE, "question", cursor, list(place))
    assert read == values
    assert [type(value) for value in read] == [type(value) for value in values]


@given(st.text() | st.binary().map(lambda raw: raw.hex()))
def test_no_text_at_all_is_taken_for_a_cursor(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_cursor(TABLE, "question", text, ["id"])
    assert refused.value.code == "invalid_cursor"


def test_a_cursor_belongs_to_one_question_of_one_table() -> None:
    cursor = write_cursor(TABLE, "question", [1])
    other = Table("other", TABLE.columns, key="id")
    assert read_cursor(TABLE, "question", cursor, ["id"]) == [1]
    for table, subject, columns in [
        (other, "question", ["id"]),
        (TABLE, "another", ["id"]),
        (TABLE, "question", ["id", "text"]),
        (TABLE, "question", []),
    ]:
        with pytest.raises(InvalidRequest):
            read_cursor(table, subject, cursor, columns)


def test_cursors_are_stable_text() -> None:
    values = [
        *(True, 1, 0.1, Decimal("1.5"), "ü", b"\0", datetime(2001, 1, 1, tzinfo=UTC)),
        *(date(2001, 1, 1), UUID(int=1), None),
    ]
    cursor = write_cursor(TABLE, "question", values)
    assert cursor == write_cursor(TABLE, "question", values)
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert cursor.isascii()
