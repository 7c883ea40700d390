"""The contract of tables: which rows a condition means."""

from typing import Any

import pytest

from tollkeeper.contracts.tables_samples import NOTES, VALUES, WORDS, a_note, found
from tollkeeper.contracts.tables_suite import TablesSuite
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.filters import (
    And,
    Compare,
    Everything,
    Filter,
    IsNull,
    Not,
    OneOf,
    Or,
    col,
)
from tollkeeper.domain.queries import Order
from tollkeeper.ports.tables import Tables

RANK = col("rank")
ALL, NONE = Everything(), Not(Everything())
LOGIC: dict[str, tuple[Filter, set[str]]] = {
    "everything": (ALL, {"one", "two", "three", "nothing"}),
    "not everything": (NONE, set()),
    "no parts of and": (And(()), {"one", "two", "three", "nothing"}),
    "no parts of or": (Or(()), set()),
    "not no parts of or": (~Or(()), {"one", "two", "three", "nothing"}),
    "null": (RANK.is_null(), {"nothing"}),
    "not null": (RANK.is_not_null(), {"one", "two", "three"}),
    "equal": (RANK == 2, {"two"}),
    "not equal leaves null out": (RANK != 2, {"one", "three"}),
    "the opposite of unknown is unknown": (~(RANK > 1), {"one"}),
    "twice the opposite": (~~(RANK > 1), {"two", "three"}),
    "unknown and false is false": (~((RANK > 1) & NONE), {"one", "two", "three", "nothing"}),
    "unknown and true is unknown": (~((RANK > 1) & ALL), {"one"}),
    "unknown or true is true": ((RANK > 1) | ALL, {"one", "two", "three", "nothing"}),
    "unknown or false is unknown": (~((RANK > 1) | NONE), {"one"}),
    "unknown or null": ((RANK > 2) | RANK.is_null(), {"three", "nothing"}),
    "in": (RANK.is_in([1, 3, 3, 7]), {"one", "three"}),
    "not in leaves null out": (~RANK.is_in([1, 3]), {"two"}),
    "in nothing": (RANK.is_in([]), set()),
    "not in nothing": (~RANK.is_in([]), {"one", "two", "three", "nothing"}),
    "two of three": ((RANK >= 1) & (RANK < 3) & ~(col("title") == "one"), {"two"}),
    "or binds as it is written": ((RANK == 1) | ((RANK == 2) & (col("title") == "x")), {"one"}),
    "and of or": (((RANK == 1) | (RANK == 2)) & (col("title") != "one"), {"two"}),
    "deep": (Not(And((Or((Not(RANK == 1), RANK == 1)), Not(RANK == 3)))), {"three"}),
}
TEXTS = [
    *("%", "_", "*", "\\", "."),
    *("", "a", "A", "ab", "ba", "aba", "a%b", "a_b", "a*b", "a.b", "a\\b", "a(b)", "a[b]", "a|b"),
    *('a"b', "a'b", "a,b", "a$", "^a", "a?", "a+", "{a}", "a\nb", " a", "ä", "äa", "***=a", "😀a"),
]
MALFORMED: list[Any] = [
    *(True, "rank = 1", 1, ("rank", 1), {"rank": 1}, col("rank"), [RANK == 1]),
    *(RANK == None, RANK != None, RANK > None, OneOf("rank", (1, None))),  # noqa: E711
    *(Compare("rank", "eq", 1), Compare("rank", "; --", 1)),  # type: ignore[arg-type]
    *(RANK.contains("1"), col("version").starts_with("1"), And((RANK == 1, "x"))),  # type: ignore
    And([RANK.is_in([n]) for n in range(501)]),
    RANK.is_in(range(1001)),
    RANK.is_in(range(600)) | RANK.is_in(range(600)),
]
NAMES = ["", "ghost", "RANK", "rank ", "rank;--", "rank\0", '"rank"', "rank)", "1", "*", "n.rank"]


class TablesFilters(TablesSuite):
    """Conditions: what they mean, and which are refused."""

    @pytest.fixture
    async def ranked(self, tables: Tables) -> Tables:
        """Put four notes there: of rank 1, 2 and 3, and of none."""
        rows = [a_note("one", rank=1), a_note("two", rank=2), a_note("three", rank=3)]
        await tables.insert(NOTES, [*rows, a_note("nothing", rank=None)])
        return tables

    @pytest.mark.parametrize(("where", "meant"), LOGIC.values(), ids=LOGIC.keys())
    async def test_conditions_mean_what_sql_means(
        self, ranked: Tables, where: Filter, meant: set[str]
    ) -> None:
        assert await found(ranked, NOTES, where, by="title") == meant
        assert await ranked.update(NOTES, {"version": 2}, where=where) == len(meant)
        assert await found(ranked, NOTES, col("version") == 2, by="title") == meant
        assert await ranked.delete(NOTES, where=where) == len(meant)
        assert len(await found(ranked, NOTES)) == 4 - len(meant)

    async def test_no_condition_means_all(self, ranked: Tables) -> None:
        assert len((await ranked.select(NOTES)).rows) == 4

    @pytest.mark.parametrize("text", TEXTS, ids=ascii)
    async def test_texts_are_sought_letter_by_letter(self, tables: Tables, text: str) -> None:
        rows = [{"id": number, "a_text": one} for number, one in enumerate(TEXTS)]
        await tables.insert(VALUES, [*rows, {"id": 99, "a_text": None}])
        column = col("a_text")
        starting = {number for number, one in enumerate(TEXTS) if one.startswith(text)}
        holding = {number for number, one in enumerate(TEXTS) if text in one}
        assert await found(tables, VALUES, column.starts_with(text)) == starting
        assert await found(tables, VALUES, column.contains(text)) == holding
        assert await found(tables, VALUES, ~column.contains(text)) == {*range(len(TEXTS))} - holding

    async def test_a_list_may_be_as_long_as_a_page(self, tables: Tables) -> None:
        await tables.insert(VALUES, [{"id": 7 * n, "a_text": f"text {n:036}"} for n in range(300)])
        ids = list(range(0, 3000, 3))
        meant = set(range(0, 2100, 21))
        assert await found(tables, VALUES, col("id").is_in(ids)) == meant
        texts = [f"text {number:036}" for number in range(500, -500, -1)]
        where = col("a_text").is_in(texts)
        one = await tables.select(VALUES, where=where, order=[Order("id", True)], limit=200)
        assert [row["id"] for row in one.rows] == [7 * n for n in range(299, 99, -1)]
        two = await tables.select(
            VALUES, where=where, order=[Order("id", True)], limit=200, after=one.cursor
        )
        assert [row["id"] for row in two.rows] == [7 * n for n in range(99, -1, -1)]
        assert two.cursor is None

    @pytest.mark.parametrize("where", MALFORMED, ids=lambda where: ascii(where)[:50])
    async def test_malformed_conditions_are_refused(self, ranked: Tables, where: Any) -> None:
        for step in (
            ranked.select(NOTES, where=where),
            ranked.update(NOTES, {"version": 2}, where=where),
            ranked.delete(NOTES, where=where),
        ):
            with pytest.raises(InvalidRequest) as refused:
                await step
            assert refused.value.code in ("invalid_filter", "invalid_value")
        assert len(await found(ranked, NOTES, col("version") == 1)) == 4

    async def test_conditions_too_deep_are_refused(self, ranked: Tables) -> None:
        where: Filter = RANK == 1
        for _ in range(40):
            where = ~where
        assert await found(ranked, NOTES, where, by="title") == {"one"}
        for _ in range(10_000):
            where = ~where
        with pytest.raises(InvalidRequest):
            await ranked.select(NOTES, where=where)

    async def test_json_is_null_or_not_and_compares_with_nothing(self, tables: Tables) -> None:
        await tables.insert(VALUES, [{"id": 1, "a_json": {}}, {"id": 2, "a_json": None}])
        column = col("a_json")
        assert await found(tables, VALUES, column.is_null()) == {2}
        assert await found(tables, VALUES, column.is_not_null()) == {1}
        for where in (column == {}, column != 1, column.is_in([]), column.contains("a")):
            with pytest.raises(InvalidRequest):
                await tables.select(VALUES, where=where)

    @pytest.mark.parametrize("name", NAMES, ids=ascii)
    async def test_names_that_are_no_columns_are_refused(self, ranked: Tables, name: str) -> None:
        for step in (
            ranked.select(NOTES, where=col(name) == 1),
            ranked.select(NOTES, where=IsNull(name)),
            ranked.select(NOTES, where=~OneOf(name, ())),
            ranked.select(NOTES, order=[Order(name)]),
            ranked.select(NOTES, columns=["id", name]),
            ranked.insert(NOTES, [{"title": "x", name: 1}]),
            ranked.upsert(NOTES, [{"id": 1, "title": "x", name: 1}]),
            ranked.update(NOTES, {"title": "x", name: 1}, where=RANK == 1),
            ranked.update(NOTES, {"title": "x"}, where=col(name) == 1),
            ranked.delete(NOTES, where=(RANK == 1) | (col(name) == 1)),
        ):
            with pytest.raises(InvalidRequest) as refused:
                await step
            assert refused.value.code == "unknown_column"
        assert await found(ranked, NOTES, by="title") == {"one", "two", "three", "nothing"}

    async def test_names_may_be_words_of_sql(self, tables: Tables) -> None:
        row = {"order": "a", "Select": 1, "not": "b", "limit": 2}
        assert await tables.insert(WORDS, [row]) == (row,)
        where = (col("order") == "a") & (col("Select") > 0) & ~(col("not") == "c")
        order = [Order("limit", True), Order("not"), Order("Select")]
        page = await tables.select(WORDS, where=where & (col("limit") == 2), order=order)
        assert page.rows == (row,)
        assert (await tables.select(WORDS, columns=["limit", "not"])).rows == (
            {"limit": 2, "not": "b"},
        )
        assert await tables.update(WORDS, {"limit": 3, "not": None}, where=where) == 1
        assert await tables.upsert(WORDS, [row]) == (row,)
        assert await tables.delete(WORDS, where=col("Select").is_in([1])) == 1

    def test_conditions_are_neither_true_nor_false(self) -> None:
        with pytest.raises(TypeError):
            bool(1 < RANK < 3)
        with pytest.raises(TypeError):
            assert RANK == 1 and RANK == 2  # noqa: PT018
