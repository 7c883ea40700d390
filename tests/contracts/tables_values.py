"""The contract of tables: what a column of each kind keeps."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tollkeeper.contracts.tables_samples import NOTES, VALUES, a_note, every_row, found
from tollkeeper.contracts.tables_suite import TablesSuite
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.filters import col
from tollkeeper.domain.queries import Order
from tollkeeper.domain.table_values import LONGEST, Kind
from tollkeeper.ports.tables import Tables

EAST = timezone(timedelta(hours=14))
INJECTIONS = [
    "'; DROP TABLE contract_notes; --",
    '"; DELETE FROM contract_notes; --',
    "1 OR 1=1",
    "' OR '1'='1",
    "\\'; SELECT pg_sleep(9); --",
    "),(id.gt.0",
    "*),or=(id.gt.0)",
    'x",id.gt.0,title.eq."y',
    "eq.1&limit=0",
    "null",
    "{1,2}",
    "%",
    "_",
    "../../auth/v1/admin",
    "$1",
    "?1",
    ":name",
    "{column}",
    "%s",
]
KEPT: dict[Kind, list[Any]] = {
    Kind.BOOLEAN: [False, True],
    Kind.INTEGER: [-(1 << 63), -1, 0, 1, (1 << 53) + 1, (1 << 63) - 1],
    Kind.FLOAT: [-1.7976931348623157e308, -1.5, -5e-324, 0.0, 5e-324, 0.1, 1e16, 1.5e300],
    Kind.DECIMAL: [
        Decimal("-" + "9" * 100),
        Decimal("-10.5"),
        Decimal("-2"),
        Decimal(0),
        Decimal("0." + "0" * 99 + "1"),
        Decimal("0.1"),
        Decimal(9),
        Decimal(10),
        Decimal("12345678901234567890.123456789012345678901"),
    ],
    Kind.TEXT: sorted(
        [
            *("", " ", "\n\t\r\x7f", "0", "A", "B", "Z", "a", "a b", "aa", "null"),
            *("ä", "é", "ß", "Ω", "ﬁ", "日本", "\ufeff", "\uffff", "😀", "😀😀"),
        ]
    ),
    Kind.BYTES: sorted([b"", b"\0", b"\0\1", b"\\x00", b"a", bytes(range(256)), b"\xff" * 1000]),
    Kind.TIME: [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2001, 1, 1, 12, tzinfo=UTC),
        datetime(2001, 1, 1, 12, 0, 0, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
    Kind.DATE: [date(1, 1, 1), date(1999, 12, 31), date(2000, 2, 29), date(9999, 12, 31)],
    Kind.UUID: [
        UUID(int=0),
        UUID("0a000000-0000-4000-8000-00000000000a"),
        UUID(int=(1 << 128) - 1),
    ],
    Kind.JSON: [
        *({}, [], "text", "", 0, 1.5, -0.25, 1e-7, True, False, [None], {"": None}),
        {"a": [1, {"b": "ü\n\"'\\"}], "big": (1 << 70), "Ω": "😀"},
    ],
}
"""Of each kind, what must come back as it was; but for JSON, in its order."""
SAME: list[tuple[Kind, Any, Any]] = [
    (Kind.FLOAT, 3, 3.0),
    (Kind.FLOAT, -0.0, 0.0),
    (Kind.DECIMAL, Decimal("1.500"), Decimal("1.5")),
    (Kind.DECIMAL, Decimal("1E+3"), Decimal(1000)),
    (Kind.DECIMAL, Decimal("-0.0"), Decimal(0)),
    (Kind.DECIMAL, 7, Decimal(7)),
    (Kind.TIME, datetime(2001, 1, 2, 2, tzinfo=EAST), datetime(2001, 1, 1, 12, tzinfo=UTC)),
    (Kind.JSON, {"pair": (1, 2)}, {"pair": [1, 2]}),
    (Kind.JSON, 1e300, int(1e300)),
]
REFUSED: list[tuple[Kind, Any]] = [
    *((Kind.BOOLEAN, value) for value in (0, 1, "true")),
    *((Kind.INTEGER, value) for value in (1 << 63, -(1 << 63) - 1, 1.0, True, "1", Decimal(1))),
    *((Kind.FLOAT, v) for v in (float("nan"), float("inf"), "1", True, (1 << 53) + 1)),
    *((Kind.DECIMAL, v) for v in (0.1, "1", Decimal("NaN"), Decimal("Infinity"), Decimal("1E100"))),
    *((Kind.DECIMAL, v) for v in (Decimal("1E-101"), True)),
    *((Kind.TEXT, value) for value in (b"a", 1, "nul\0", "\ud800", "x" * (LONGEST + 1))),
    *((Kind.BYTES, value) for value in ("a", bytearray(1), bytes(LONGEST + 1))),
    *((Kind.TIME, v) for v in (datetime(2001, 1, 1), date(2001, 1, 1), "2001-01-01T00:00:00Z")),
    (Kind.TIME, datetime(1, 1, 1, tzinfo=EAST)),
    *((Kind.DATE, value) for value in (datetime(2001, 1, 1, tzinfo=UTC), "2001-01-01", 1)),
    *((Kind.UUID, value) for value in ("0a000000-0000-4000-8000-00000000000a", 1)),
    *((Kind.JSON, value) for value in (float("nan"), {1: 2}, {"a": b""}, {"a\0": 1}, ["\ud800"])),
    (Kind.JSON, {"a": object}),
]


class TablesValues(TablesSuite):
    """What a column keeps, and how what it keeps compares."""

    @pytest.mark.parametrize("kind", list(Kind))
    async def test_values_come_back_as_they_were(self, tables: Tables, kind: Kind) -> None:
        name, values = f"a_{kind}", KEPT[kind]
        rows = [{"id": number, name: value} for number, value in enumerate(values)]
        written = await tables.insert(VALUES, rows)
        read = await every_row(tables, VALUES)
        assert [row[name] for row in written] == [row[name] for row in read] == values
        for row in (*written, *read):
            assert type(row[name]) is type(values[row["id"]])
            assert [other for other, value in row.items() if value is not None] == ["id", name]

    @pytest.mark.parametrize(("kind", "given", "kept"), SAME, ids=repr)
    async def test_other_ways_to_write_a_value_come_back_as_one(
        self, tables: Tables, kind: Kind, given: object, kept: object
    ) -> None:
        name = f"a_{kind}"
        [written] = await tables.insert(VALUES, [{"id": 1, name: given}])
        [read] = (await tables.select(VALUES)).rows
        assert (written[name], read[name]) == (kept, kept)
        assert str(read[name]) == str(kept)
        if kind is not Kind.JSON:
            assert await found(tables, VALUES, col(name) == given) == {1}
        else:
            assert await tables.update(VALUES, {name: given}, where=col("id") == 1) == 1

    @pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.JSON])
    async def test_values_compare_as_they_do_in_python(self, tables: Tables, kind: Kind) -> None:
        name, values = f"a_{kind}", KEPT[kind]
        rows = [{"id": number, name: value} for number, value in enumerate(values)]
        await tables.insert(VALUES, [*rows[1::2], *rows[::2], {"id": 99, name: None}])
        for number in {0, len(values) // 2, len(values) - 1}:
            value, column = values[number], col(name)
            rest = range(len(values))
            assert await found(tables, VALUES, column == value) == {number}
            assert await found(tables, VALUES, column != value) == {*rest} - {number}
            assert await found(tables, VALUES, column < value) == {*rest[:number]}
            assert await found(tables, VALUES, column <= value) == {*rest[: number + 1]}
            assert await found(tables, VALUES, column > value) == {*rest[number + 1 :]}
            assert await found(tables, VALUES, column >= value) == {*rest[number:]}
            assert await found(tables, VALUES, column.is_in(values[: number + 1])) == {
                *rest[: number + 1]
            }
        for descending in (False, True):
            in_order = await every_row(tables, VALUES, order=[Order(name, descending)], limit=3)
            seen = [row["id"] for row in in_order]
            assert seen == [*sorted(rest, reverse=descending), 99]

    @pytest.mark.parametrize(("kind", "value"), REFUSED, ids=lambda value: ascii(value)[:40])
    async def test_values_of_another_kind_are_refused(
        self, tables: Tables, kind: Kind, value: object
    ) -> None:
        name = f"a_{kind}"
        for step in (
            tables.insert(VALUES, [{"id": 1, name: None}, {"id": 2, name: value}]),
            tables.upsert(VALUES, [{"id": 1, name: value}]),
            tables.update(VALUES, {name: value}, where=col("id") == 1),
        ):
            with pytest.raises(InvalidRequest, match=name) as refused:
                await step
            assert refused.value.code == "invalid_value"
        await self.untouched(tables)

    @pytest.mark.parametrize("text", INJECTIONS)
    async def test_values_never_become_part_of_a_statement(self, tables: Tables, text: str) -> None:
        await tables.insert(NOTES, [a_note("first", slug="first")])
        [row] = await tables.insert(NOTES, [a_note(text, slug=text)])
        assert (row["title"], row["slug"]) == (text, text)
        for where in (
            col("title") == text,
            col("title").is_in([text]),
            col("title").starts_with(text),
            col("title").contains(text),
            (col("title") >= text) & (col("title") <= text),
            ~(col("title") != text),
        ):
            assert await found(tables, NOTES, where) == {row["id"]}
        assert await tables.update(NOTES, {"title": text * 2}, where=col("title") == text) == 1
        [kept] = await tables.upsert(NOTES, [a_note(text, slug=text)], on=["slug"])
        assert kept == row
        assert await tables.delete(NOTES, where=col("slug") == text) == 1
        assert await found(tables, NOTES, by="title") == {"first"}

    async def test_a_long_text_is_kept_whole(self, tables: Tables) -> None:
        long = "ü\U0001f600x" * 100_000
        await tables.insert(VALUES, [{"id": 1, "a_text": long, "a_bytes": b"\0\xff" * 100_000}])
        [row] = (await tables.select(VALUES)).rows
        # Compared outside of the assert: to tell such texts apart takes pytest for ever.
        same = row["a_text"] == long and row["a_bytes"] == b"\0\xff" * 100_000
        assert same

    async def test_nobody_changes_what_is_kept_by_changing_what_they_have(
        self, tables: Tables
    ) -> None:
        given = {"list": [1]}
        [written] = await tables.insert(VALUES, [{"id": 1, "a_json": given}])
        [read] = (await tables.select(VALUES)).rows
        for theirs in (given, written["a_json"], read["a_json"]):
            theirs["list"].append(2)
        [row] = (await tables.select(VALUES)).rows
        assert row["a_json"] == {"list": [1]}
