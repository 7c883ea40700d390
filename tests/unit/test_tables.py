"""Declarations of tables and functions, and what may be written by them."""

import copy
import pickle
from collections.abc import Callable

import pytest

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.filters import Everything, col
from tollkeeper.domain.queries import Order, Page, prepared, row_order
from tollkeeper.domain.row_changes import (
    MOST_VALUES,
    checked_changes,
    checked_insert,
    checked_upsert,
    checked_where,
)
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Column, Function, Reference, Row, Table, split_name

TABLE = Table(
    "app.things",
    {"id": Kind.INTEGER, "name": Kind.TEXT, "rank": Column(Kind.INTEGER, nullable=True)},
    key="id",
    unique=["name"],
)
BAD_NAMES = [
    "",
    "1a",
    "a b",
    "a.b.c",
    "ä",
    "a;",
    'a"',
    "a\0",
    "x" * 64,
    "a.",
    ".a",
    "../a",
    None,
    7,
]


def ask(**question: object) -> object:
    usual = {"where": None, "order": (), "columns": None, "limit": 10, "after": None}
    return prepared(TABLE, **(usual | question))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_malformed_names_are_refused(name: str) -> None:
    columns = {"id": Kind.INTEGER}
    steps: list[Callable[[], object]] = [
        lambda: Table(name, columns, key="id"),
        lambda: Table("t", {name: Kind.INTEGER}, key=[name]),
        lambda: Function(name),
        lambda: Function("f", {name: Kind.TEXT}),
        lambda: Function("f", {}, {name: Kind.TEXT}),
    ]
    for step in steps:
        with pytest.raises(InvalidRequest) as refused:
            step()
        assert refused.value.code == "invalid_table"


@pytest.mark.parametrize(
    "said",
    [
        {"key": ()},
        {"key": ("id", "id")},
        {"key": "ghost"},
        {"key": "json"},
        {"key": "maybe"},
        {"key": "id", "unique": ["ghost"]},
        {"key": "id", "unique": [()]},
        {"key": "id", "references": {"ghost": Reference("t", "id")}},
    ],
    ids=str,
)
def test_declarations_that_contradict_themselves_are_refused(said: dict[str, object]) -> None:
    columns = {"id": Kind.INTEGER, "json": Kind.JSON, "maybe": Column(Kind.TEXT, nullable=True)}
    with pytest.raises(InvalidRequest) as refused:
        Table("t", columns, **said)  # type: ignore[arg-type]
    assert refused.value.code == "invalid_table"


def test_declarations_can_be_copied_and_sent() -> None:
    function = Function("f", {"a": Kind.INTEGER}, {"b": Kind.TEXT})
    for one in (TABLE, function):
        assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one
    with pytest.raises(TypeError):
        TABLE.columns["more"] = Column(Kind.TEXT)  # type: ignore[index]


def test_what_a_function_returns() -> None:
    assert Function("f").columns == {}
    assert Function("f", {}, Kind.TEXT).columns == {"result": Kind.TEXT}
    assert Function("f", {}, {"a": Kind.TEXT}).columns == {"a": Kind.TEXT}
    assert split_name("app.f", field="function") == ("app", "f")


def test_a_question_ends_with_the_key_and_fetches_what_it_needs() -> None:
    query = prepared(
        TABLE,
        where=None,
        order=[Order("rank", descending=True)],
        columns=["name"],
        limit=2,
        after=None,
    )
    assert query.order == (Order("rank", descending=True), Order("id"))
    assert (query.fetched, query.columns, query.sought) == (("id", "name", "rank"), ("name",), 3)
    rows: list[Row] = [{"id": n, "name": str(n), "rank": None} for n in range(3)]
    page = query.page(rows)
    assert page.rows == ({"name": "0"}, {"name": "1"})
    assert page.cursor
    assert query.page(rows[:2]) == Page(page.rows, None)


def test_rows_sort_as_they_are_asked_for() -> None:
    rows: list[Row] = [{"id": n, "rank": rank} for n, rank in enumerate([2, None, 1, 2])]

    def ids(*order: Order) -> list[int]:
        return [row["id"] for row in sorted(rows, key=row_order(order))]

    assert ids(Order("rank"), Order("id")) == [2, 0, 3, 1]
    assert ids(Order("rank", True), Order("id", True)) == [3, 0, 2, 1]
    assert ids(Order("rank", nulls_first=True), Order("id")) == [1, 2, 0, 3]


def test_writes_are_bounded_by_rows_and_values() -> None:
    wide = Table("t", {f"c{n}": Kind.INTEGER for n in range(400)}, key="c0")
    row = dict.fromkeys(wide.columns, 1)
    assert len(checked_insert(wide, [row] * (MOST_VALUES // 400)).rows) == 75
    with pytest.raises(InvalidRequest) as refused:
        checked_insert(wide, [row] * (MOST_VALUES // 400 + 1))
    assert refused.value.code == "too_many_rows"


def test_an_upsert_says_what_tells_rows_apart_and_what_is_taken() -> None:
    new = checked_upsert(TABLE, [{"rank": 1, "name": "x", "id": 1}], "name")
    assert (new.columns, new.on, new.changed) == (("id", "name", "rank"), ("name",), ("id", "rank"))
    assert new.rows == ((1, "x", 1),)


def test_changes_name_columns_and_what_is_meant() -> None:
    assert checked_changes(TABLE, {"rank": None}) == {"rank": None}
    assert checked_where(TABLE, Everything()) == Everything()
    with pytest.raises(InvalidRequest):
        checked_where(TABLE, None)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest) as refused:
        checked_changes(TABLE, {"ghost": 1})
    assert refused.value.code == "unknown_column"


@pytest.mark.parametrize(
    "question",
    [{"limit": 0}, {"limit": True}, {"order": [Order("id")] * 2}, {"columns": []}, {"columns": 7}],
    ids=str,
)
def test_malformed_questions_are_refused(question: dict[str, object]) -> None:
    ask(where=col("id") > 1)
    with pytest.raises(InvalidRequest):
        ask(**question)
