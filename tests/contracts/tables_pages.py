"""The contract of tables: pages of rows in order."""

import base64
import random
from datetime import UTC, datetime
from itertools import count, pairwise
from typing import Any

import pytest

from tollkeeper.contracts.tables_samples import NOTES, VALUES, WORDS, a_note, every_row, found
from tollkeeper.contracts.tables_suite import TablesSuite
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.filters import col
from tollkeeper.domain.queries import MOST_ROWS, Order
from tollkeeper.ports.tables import Tables

RANKED = [None, 5, 1, 1, None, 3, 1, 5, 2, None, 1, 4]
"""The ranks of the notes, by which many are alike."""


class TablesPages(TablesSuite):
    """Orders and cursors."""

    @pytest.fixture
    async def noted(self, tables: Tables) -> Tables:
        """Put notes there, titled by their numbers."""
        rows = [a_note(str(number), rank=rank) for number, rank in enumerate(RANKED)]
        await tables.insert(NOTES, rows)
        return tables

    @pytest.mark.parametrize("limit", [1, 5, 11, 12])
    @pytest.mark.parametrize("nulls_first", [False, True])
    @pytest.mark.parametrize("descending", [False, True])
    async def test_pages_follow_the_order_with_nulls_where_they_are_asked_for(
        self, noted: Tables, descending: bool, nulls_first: bool, limit: int
    ) -> None:
        order = Order("rank", descending=descending, nulls_first=nulls_first)
        rows = await every_row(noted, NOTES, order=[order], limit=limit)
        ranks = sorted((rank for rank in RANKED if rank is not None), reverse=descending)
        nulls = [None] * RANKED.count(None)
        assert [row["rank"] for row in rows] == (nulls + ranks if nulls_first else ranks + nulls)
        # Where the order leaves it open, the key decides, upwards.
        for one, two in pairwise(rows):
            assert one["rank"] != two["rank"] or one["id"] < two["id"]
        assert len({row["id"] for row in rows}) == len(RANKED)

    async def test_without_an_order_the_key_is_the_order(self, tables: Tables) -> None:
        keys = [("b", 1), ("a", 2), ("B", 3), ("a", 10), ("", 5), ("a", -1)]
        await tables.insert(WORDS, [{"order": one, "Select": two} for one, two in keys])
        for limit in (1, 4, 100):
            rows = await every_row(tables, WORDS, limit=limit)
            assert [(row["order"], row["Select"]) for row in rows] == sorted(keys)

    async def test_several_columns_order_one_after_the_other(self, tables: Tables) -> None:
        some = random.Random(7)
        rows = [
            {
                "id": number,
                "a_integer": some.choice([None, 1, 2]),
                "a_text": some.choice([None, "a", "b"]),
                "a_boolean": some.choice([None, False, True]),
            }
            for number in range(60)
        ]
        await tables.insert(VALUES, rows)

        def place(row: Any) -> Any:
            one, two, three = row["a_integer"], row["a_text"], row["a_boolean"]
            text = (0, "") if two is None else (1, two)
            return (one is None, -(one or 0)), text, (three is None, bool(three)), -row["id"]

        order = [
            Order("a_integer", descending=True),
            Order("a_text", nulls_first=True),
            Order("a_boolean"),
            Order("id", descending=True),
        ]
        expected = [row["id"] for row in sorted(rows, key=place)]
        for limit in (1, 7, 60):
            paged = await every_row(tables, VALUES, order=order, limit=limit)
            assert [row["id"] for row in paged] == expected

    async def test_rows_that_come_and_go_move_no_other_row(self, tables: Tables) -> None:
        rows = [a_note(f"stays {n}", rank=n % 3 or None) for n in range(40)]
        await tables.insert(NOTES, [*rows, *(a_note("goes", rank=n % 3) for n in range(20))])
        order, seen, after = [Order("rank", descending=True)], [], None
        for number in count():
            page = await tables.select(NOTES, order=order, limit=7, after=after)
            seen += [row["title"] for row in page.rows if row["title"].startswith("stays")]
            after = page.cursor
            if after is None:
                break
            # In front, behind and between; and some that were read, with the last one of the page.
            new = [a_note("comes", rank=rank) for rank in (None, 0, 1, 2, 9)]
            await tables.insert(NOTES, new if number < 10 else [a_note("comes", rank=9)])
            if page.rows[-1]["title"] in ("goes", "comes"):
                await tables.delete(NOTES, where=col("id") == page.rows[-1]["id"])
            gone = await tables.select(NOTES, where=col("title") == "goes", limit=2)
            await tables.delete(NOTES, where=col("id").is_in([row["id"] for row in gone.rows]))
            assert number < 100
        assert sorted(seen) == sorted(row["title"] for row in rows)

    async def test_a_page_tells_whether_there_are_more(self, noted: Tables) -> None:
        for limit in range(1, len(RANKED) + 2):
            page = await noted.select(NOTES, limit=limit)
            assert len(page.rows) == min(limit, len(RANKED))
            assert (page.cursor is None) == (limit >= len(RANKED))
        nothing = await noted.select(NOTES, where=col("rank") > 100)
        assert (nothing.rows, nothing.cursor) == ((), None)

    async def test_the_largest_page_is_whole(self, tables: Tables) -> None:
        rows = [{"id": number, "a_integer": number % 7} for number in range(MOST_ROWS)]
        await tables.insert(VALUES, rows)
        page = await tables.select(VALUES, limit=MOST_ROWS)
        assert ([row["id"] for row in page.rows], page.cursor) == ([*range(MOST_ROWS)], None)
        await tables.insert(VALUES, [{"id": MOST_ROWS}, {"id": MOST_ROWS + 1}])
        page = await tables.select(VALUES, limit=MOST_ROWS)
        assert [row["id"] for row in page.rows] == [*range(MOST_ROWS)]
        rest = await tables.select(VALUES, limit=MOST_ROWS, after=page.cursor)
        assert [row["id"] for row in rest.rows] == [MOST_ROWS, MOST_ROWS + 1]
        assert rest.cursor is None

    async def test_columns_are_those_that_were_asked_for(self, noted: Tables) -> None:
        order = [Order("rank", nulls_first=True)]
        page = await noted.select(NOTES, columns=["title", "slug"], order=order, limit=2)
        assert page.rows == ({"title": "0", "slug": None}, {"title": "4", "slug": None})
        assert list(page.rows[0]) == ["title", "slug"]
        page = await noted.select(NOTES, columns="title", order=order, limit=3, after=page.cursor)
        assert page.rows == ({"title": "9"}, {"title": "2"}, {"title": "3"})
        whole = await noted.select(NOTES, order=order, after=page.cursor)
        assert set(whole.rows[0]) == set(NOTES.columns)

    @pytest.mark.parametrize(
        "question",
        [
            *({"limit": n} for n in (0, -1, MOST_ROWS + 1, 1.0, True, "1", None)),
            *({"columns": names} for names in ([], ["id", "id"])),
            *({"order": order} for order in ("id", ["id"], [Order("id")] * 2, 7)),
            {"order": [Order(name) for name in [*NOTES.columns, *NOTES.columns][:9]]},
        ],
        ids=ascii,
    )
    async def test_malformed_questions_are_refused(self, noted: Tables, question: Any) -> None:
        with pytest.raises(InvalidRequest):
            await noted.select(NOTES, **question)

    async def test_json_has_no_order(self, tables: Tables) -> None:
        with pytest.raises(InvalidRequest) as refused:
            await tables.select(VALUES, order=[Order("a_json")])
        assert refused.value.code == "invalid_order"

    async def test_a_cursor_that_was_changed_is_refused(self, noted: Tables) -> None:
        order = [Order("rank")]
        cursor = (await noted.select(NOTES, order=order, limit=3)).cursor
        assert cursor is not None
        bad = ["", "x", "=" * 10, "A" * 64, cursor + "A", cursor + "=", cursor[:-1], " " + cursor]
        bad += [base64.urlsafe_b64encode(b"\0" * 16 + b"[1]").decode(), "ü" * 20, cursor.upper()]
        for place in range(len(cursor)):
            letter = "B" if cursor[place] == "A" else "A"
            bad.append(cursor[:place] + letter + cursor[place + 1 :])
        for after in [*bad, 1, b"x", cursor.encode(), [cursor]]:
            with pytest.raises(InvalidRequest) as refused:
                await noted.select(NOTES, order=order, limit=3, after=after)  # type: ignore[arg-type]
            assert refused.value.code == "invalid_cursor"

    async def test_a_cursor_of_another_question_is_refused(self, noted: Tables) -> None:
        await noted.insert(VALUES, [{"id": n} for n in range(5)])
        cursor = (await noted.select(NOTES, where=col("id") > 0, limit=3)).cursor
        assert (await noted.select(NOTES, where=col("id") > 0, limit=9, after=cursor)).rows
        for table, question in [
            (VALUES, {"where": col("id") > 0}),
            (NOTES, {}),
            (NOTES, {"where": col("id") > 1}),
            (NOTES, {"where": ~(col("id") > 0)}),
            (NOTES, {"where": col("id") > 0, "order": [Order("id", descending=True)]}),
            (NOTES, {"where": col("id") > 0, "order": [Order("rank")]}),
        ]:
            with pytest.raises(InvalidRequest) as refused:
                await noted.select(table, after=cursor, **question)  # type: ignore[arg-type]
            assert refused.value.code == "invalid_cursor"

    async def test_a_cursor_outlives_the_row_it_was_made_at(self, tables: Tables) -> None:
        moments = [datetime(2001, 1, 1, 0, 0, 0, n, tzinfo=UTC) for n in range(6)]
        await tables.insert(VALUES, [{"id": n, "a_time": at} for n, at in enumerate(moments)])
        order = [Order("a_time")]
        page = await tables.select(VALUES, order=order, limit=3)
        assert await tables.delete(VALUES, where=col("id").is_in([0, 2])) == 2
        rest = await tables.select(VALUES, order=order, after=page.cursor)
        assert [row["id"] for row in rest.rows] == [3, 4, 5]
        assert await found(tables, VALUES) == {1, 3, 4, 5}
