"""The contract of tables: rows that are added, changed and taken away."""

import asyncio
from typing import Any

import pytest

from tollkeeper.contracts.tables_samples import (
    NOTES,
    OWNERS,
    VALUES,
    WORDS,
    a_note,
    every_row,
    found,
    without,
)
from tollkeeper.contracts.tables_suite import TablesSuite
from tollkeeper.domain.errors import Conflict, DomainError, InvalidRequest, NotFound
from tollkeeper.domain.filters import Everything, col
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Column, Table
from tollkeeper.ports.tables import Tables

Broken = tuple[type[DomainError], str, dict[str, Any]]
BROKEN: list[Broken] = [
    (Conflict, "row_exists", {"slug": "taken"}),
    (Conflict, "row_exists", {"id": 7}),
    (InvalidRequest, "value_missing", {"title": None}),
    (InvalidRequest, "check_failed", {"version": 0}),
    (InvalidRequest, "reference_broken", {"owner": "nobody's"}),
]
UNLIKE: list[Any] = [
    *([], {}, "rows", None, 7, [{}], [1], ["title"], [{"title": "x"}, {}], {"title": "x"}),
    [{"title": "x"}, {"title": "x", "rank": 1}],
    [{"title": "x"}, {"slug": "x"}],
]


def a_whole_note(number: int) -> dict[str, Any]:
    """Make a row of NOTES that says everything but the rank."""
    return a_note(f"sound {number}", id=number, slug=str(number), owner=None, version=1)


class TablesWrites(TablesSuite):
    """Changes: what they do, all or nothing, and what is refused."""

    async def test_rows_come_back_whole_and_in_their_order(self, tables: Tables) -> None:
        titles = [f"note {number % 10} {number}" for number in range(300)]
        rows = await tables.insert(NOTES, (a_note(title) for title in titles))
        assert [row["title"] for row in rows] == titles
        usual = {"rank": None, "slug": None, "owner": None, "version": 1}
        assert all(without(row, "id", "title") == usual for row in rows)
        assert len({row["id"] for row in rows}) == 300
        assert await every_row(tables, NOTES) == sorted(rows, key=lambda row: row["id"])

    @pytest.mark.parametrize(("kind", "code", "fault"), BROKEN, ids=[case[1] for case in BROKEN])
    async def test_one_row_that_is_refused_keeps_all_out(
        self, tables: Tables, kind: type[DomainError], code: str, fault: dict[str, Any]
    ) -> None:
        await tables.insert(NOTES, [a_note("there", id=7, slug="taken")])
        one, two, last = (a_whole_note(number) for number in (1, 2, 9))
        for step in (
            tables.insert(NOTES, [one, two, last | fault]),
            tables.insert(NOTES, [last | fault, one]),
            tables.upsert(NOTES, [one, last | fault], on="slug" if "id" in fault else "id"),
        ):
            with pytest.raises(kind) as refused:
                await step
            assert refused.value.code == code
            self.tells_nothing(refused.value, "taken", "nobody's", "sound")
        assert await found(tables, NOTES, by="title") == {"there"}

    @pytest.mark.parametrize("rows", UNLIKE, ids=ascii)
    async def test_rows_that_are_not_alike_are_refused(self, tables: Tables, rows: Any) -> None:
        for step in (tables.insert(NOTES, rows), tables.upsert(NOTES, rows)):
            with pytest.raises(InvalidRequest) as refused:
                await step
            assert refused.value.code == "invalid_rows"
        await self.untouched(tables)

    async def test_too_many_rows_at_once_are_refused(self, tables: Tables) -> None:
        rows = [a_note(str(number)) for number in range(1001)]
        with pytest.raises(InvalidRequest) as refused:
            await tables.insert(NOTES, rows)
        assert refused.value.code == "too_many_rows"
        await self.untouched(tables)
        assert len(await tables.insert(NOTES, rows[:1000])) == 1000

    async def test_what_is_referred_to_stays(self, tables: Tables) -> None:
        await tables.insert(OWNERS, [{"name": name, "plan": "free"} for name in ("ada", "bob")])
        await tables.insert(NOTES, [a_note("hers", owner="ada")])
        with pytest.raises(InvalidRequest) as refused:
            await tables.delete(OWNERS, where=Everything())
        assert refused.value.code == "reference_broken"
        assert await found(tables, OWNERS) == {"ada", "bob"}
        assert await tables.delete(OWNERS, where=col("name") == "bob") == 1
        with pytest.raises(InvalidRequest):
            await tables.update(NOTES, {"owner": "bob"}, where=Everything())
        assert await tables.update(NOTES, {"owner": None}, where=Everything()) == 1
        assert await tables.delete(OWNERS, where=Everything()) == 1

    async def test_upsert_adds_or_changes_what_it_is_given(self, tables: Tables) -> None:
        [one] = await tables.upsert(NOTES, [a_note("one", id=1, rank=5, slug="s")])
        assert one == {"id": 1, "title": "one", "rank": 5, "slug": "s", "owner": None, "version": 1}
        two, again = await tables.upsert(NOTES, [a_note("two", id=2), a_note("again", id=1)])
        assert (two["id"], two["title"]) == (2, "two")
        assert again == {**one, "title": "again"}
        assert [row["title"] for row in await every_row(tables, NOTES)] == ["again", "two"]

    async def test_upsert_on_something_else_that_is_unique(self, tables: Tables) -> None:
        [one] = await tables.insert(NOTES, [a_note("one", slug="s", rank=3)])
        [changed] = await tables.upsert(NOTES, [a_note("two", slug="s")], on=["slug"])
        assert changed == {**one, "title": "two"}
        # Null is the same as nothing else.
        for _ in range(2):
            await tables.upsert(
                NOTES, [a_note("none", slug=None), a_note("none", slug=None)], on="slug"
            )
        assert len(await found(tables, NOTES)) == 5
        with pytest.raises(Conflict):
            await tables.upsert(NOTES, [a_note("x", id=one["id"] + 1000, slug="s")])

    async def test_upsert_of_nothing_but_the_key_changes_nothing(self, tables: Tables) -> None:
        row = {"order": "a", "Select": 1, "not": "b", "limit": 2}
        await tables.insert(WORDS, [row])
        keys = [{"order": "a", "Select": 2}, {"order": "a", "Select": 1}]
        assert await tables.upsert(WORDS, keys, on=["Select", "order"]) == (
            {"order": "a", "Select": 2, "not": None, "limit": None},
            row,
        )

    async def test_upserts_that_say_too_little_or_too_much_are_refused(
        self, tables: Tables
    ) -> None:
        for rows, on, code in [
            ([a_note("x", id=1), a_note("y", id=1)], None, "duplicate_row"),
            ([a_note("x", slug="s"), a_note("y", slug="s")], ["slug"], "duplicate_row"),
            ([a_note("x")], None, "invalid_rows"),
            ([a_note("x", id=1)], ["title"], "invalid_rows"),
            ([a_note("x", id=1)], ["slug"], "invalid_rows"),
            ([a_note("x", id=1)], [], "invalid_rows"),
            ([a_note("x", id=1)], ["ghost"], "invalid_rows"),
            ([{"id": 1, "rank": 1}], None, "value_missing"),
        ]:
            with pytest.raises(InvalidRequest) as refused:
                await tables.upsert(NOTES, rows, on=on)
            assert refused.value.code == code
        await self.untouched(tables)

    async def test_update_sets_what_is_meant_and_counts_it(self, tables: Tables) -> None:
        rows = [a_note(str(n), rank=n) for n in range(10)]
        await tables.insert(NOTES, rows)
        assert await tables.update(NOTES, {"rank": None, "slug": "s"}, where=col("rank") == 3) == 1
        assert await tables.update(NOTES, {"title": "low"}, where=col("rank") < 5) == 4
        assert await tables.update(NOTES, {"title": "x"}, where=col("rank") == 99) == 0
        assert await tables.update(NOTES, {"version": 2}, where=Everything()) == 10
        kept = await every_row(tables, NOTES)
        assert [row["title"] for row in kept] == ["low"] * 3 + ["3", "low", *"56789"]
        assert [row["rank"] for row in kept] == [0, 1, 2, None, 4, 5, 6, 7, 8, 9]

    @pytest.mark.parametrize("values", [{}, [], None, "title", [("title", "x")]], ids=ascii)
    async def test_updates_that_set_nothing_are_refused(self, tables: Tables, values: Any) -> None:
        await tables.insert(NOTES, [a_note("there")])
        with pytest.raises(InvalidRequest) as refused:
            await tables.update(NOTES, values, where=Everything())
        assert refused.value.code == "invalid_rows"

    async def test_an_update_that_is_refused_changes_no_row(self, tables: Tables) -> None:
        await tables.insert(NOTES, [a_note(str(n), slug=str(n)) for n in range(3)])
        cases: list[tuple[dict[str, Any], str]] = [
            ({"slug": "0"}, "row_exists"),
            ({"title": None}, "value_missing"),
            ({"title": "x", "version": 0}, "check_failed"),
            ({"title": "x", "owner": "nobody"}, "reference_broken"),
        ]
        for values, code in cases:
            with pytest.raises(DomainError) as refused:
                await tables.update(NOTES, values, where=Everything())
            assert refused.value.code == code
        rows = await every_row(tables, NOTES)
        assert [(row["title"], row["slug"]) for row in rows] == [(n, n) for n in "012"]

    async def test_whole_tables_are_meant_only_where_that_is_said(self, tables: Tables) -> None:
        await tables.insert(NOTES, [a_note("there")])
        for step in (
            tables.delete(NOTES, where=None),  # type: ignore[arg-type]
            tables.update(NOTES, {"title": "x"}, where=None),  # type: ignore[arg-type]
        ):
            with pytest.raises(InvalidRequest, match=r"Everything\(\)"):
                await step
        assert await found(tables, NOTES, by="title") == {"there"}

    async def test_delete_takes_what_is_meant_and_counts_it(self, tables: Tables) -> None:
        await tables.insert(NOTES, [a_note(str(n), rank=n) for n in range(10)])
        assert await tables.delete(NOTES, where=col("rank") >= 7) == 3
        assert await tables.delete(NOTES, where=col("rank") >= 7) == 0
        assert await found(tables, NOTES, by="rank") == {*range(7)}
        assert await tables.delete(NOTES, where=Everything()) == 7
        await self.untouched(tables)

    async def test_what_the_database_lacks_is_named(self, tables: Tables) -> None:
        ghost = Table("contract_ghost", {"id": Kind.INTEGER}, key="id")
        more = Table(
            NOTES.name, {**NOTES.columns, "ghost": Column(Kind.TEXT, nullable=True)}, key="id"
        )
        for table, code in [(ghost, "table_not_found"), (more, "column_not_found")]:
            for step in (
                tables.select(table),
                tables.insert(table, [{"id": 1} if table is ghost else a_note(ghost="x")]),
                tables.delete(table, where=col("id" if table is ghost else "ghost").is_null()),
            ):
                with pytest.raises(NotFound) as refused:
                    await step
                assert refused.value.code == code
        for name in ("contract_notes", None, NOTES.columns):
            with pytest.raises(InvalidRequest) as malformed:
                await tables.select(name)  # type: ignore[arg-type]
            assert malformed.value.code == "invalid_table"


class TablesAtOnce(TablesSuite):
    """Many callers."""

    async def test_one_of_many_who_compare_and_set_succeeds(self, tables: Tables) -> None:
        [note] = await tables.insert(NOTES, [a_note("there")])
        for version in range(1, 4):
            where = (col("id") == note["id"]) & (col("version") == version)
            counts = await asyncio.gather(
                *(
                    tables.update(NOTES, {"version": version + 1, "rank": n}, where=where)
                    for n in range(20)
                )
            )
            assert sorted(counts) == [0] * 19 + [1]
            [row] = (await tables.select(NOTES)).rows
            assert (row["version"], row["rank"]) == (version + 1, counts.index(1))

    async def test_one_of_many_who_add_the_same_succeeds(self, tables: Tables) -> None:
        async def add(number: int) -> int | None:
            try:
                await tables.insert(NOTES, [a_note(str(number), slug="one")])
            except Conflict:
                return None
            return number

        added = await asyncio.gather(*(add(number) for number in range(20)))
        [row] = (await tables.select(NOTES)).rows
        assert [n for n in added if n is not None] == [int(row["title"])]

    async def test_upserts_of_the_same_leave_one(self, tables: Tables) -> None:
        rows = await asyncio.gather(
            *(tables.upsert(NOTES, [a_note(str(n), slug="one")], on=["slug"]) for n in range(20))
        )
        assert len({row["id"] for [row] in rows}) == 1
        [kept] = (await tables.select(NOTES)).rows
        assert kept in [row for [row] in rows]

    async def test_a_caller_who_leaves_leaves_all_or_nothing(self, tables: Tables) -> None:
        kept: dict[int, set[int]] = {}
        for turn in range(20):
            rows = [{"id": turn * 10 + n, "a_integer": turn} for n in range(10)]
            task = asyncio.ensure_future(tables.insert(VALUES, rows))
            await asyncio.sleep(0 if turn % 2 else 0.0005 * (turn % 7))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            kept[turn] = await found(tables, VALUES, col("a_integer") == turn)
            assert len(kept[turn]) in (0, 10)
            if not task.cancelled():
                assert len(kept[turn]) == 10
        # What was there when the caller had left is all that there will ever be.
        for turn, there in kept.items():
            assert await found(tables, VALUES, col("a_integer") == turn) == there
        await tables.insert(VALUES, [{"id": 1000, "a_integer": 1000}])
        assert await found(tables, VALUES, col("id") == 1000) == {1000}
