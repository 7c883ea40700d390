"""Tables in memory keep the contract, and do what their declarations say."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.adapters.tables_functions import FUNCTIONS
from tollkeeper.adapters.memory.tables import MemoryTables
from tollkeeper.contracts.tables import FunctionsContract, TablesContract
from tollkeeper.contracts.tables_samples import ADD, NOTES, TABLES, VALUES, a_note
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    InvalidRequest,
    NotFound,
    Unsupported,
)
from tollkeeper.domain.filters import col
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Function, Table


class TestMemoryTables(TablesContract):
    @pytest.fixture
    def tables(self) -> MemoryTables:
        return MemoryTables(TABLES)


class TestMemoryFunctions(FunctionsContract):
    @pytest.fixture
    def tables(self) -> MemoryTables:
        return MemoryTables(TABLES, functions=FUNCTIONS)


@pytest.mark.anyio
async def test_a_table_that_nobody_listed_is_there_as_soon_as_it_is_named() -> None:
    tables = MemoryTables.from_url("memory://")
    assert (await tables.select(NOTES)).rows == ()
    [row] = await tables.insert(NOTES, [a_note()])
    assert (await tables.select(NOTES)).rows == (row,)
    assert await tables.health() == "1 tables in memory"
    with pytest.raises(Unsupported) as refused:
        await tables.call(ADD, {"a": 1, "b": 2})
    assert refused.value.code == "functions_unsupported"


@pytest.mark.anyio
async def test_a_column_of_another_kind_than_before_is_none_of_the_tables() -> None:
    tables = MemoryTables([NOTES])
    other = Table(NOTES.name, {"id": Kind.TEXT}, key="id")
    with pytest.raises(NotFound) as refused:
        await tables.select(other)
    assert refused.value.code == "column_not_found"


@pytest.mark.anyio
async def test_fewer_columns_than_there_are_may_be_declared() -> None:
    tables = MemoryTables([NOTES])
    [row] = await tables.insert(NOTES, [a_note("all", slug="s")])
    some = Table(NOTES.name, {"id": Kind.INTEGER, "title": Kind.TEXT}, key="id")
    assert (await tables.select(some)).rows == ({"id": row["id"], "title": "all"},)
    [added] = await tables.insert(some, [{"title": "some"}])
    assert added == {"id": 2, "title": "some"}
    assert await tables.update(some, {"title": "x"}, where=col("id") == 2) == 1


@pytest.mark.anyio
async def test_a_function_that_returns_something_else_is_found_out() -> None:
    tables = MemoryTables(functions={"said": lambda: [{"result": "text"}]})
    with pytest.raises(CorruptResponse) as refused:
        await tables.call(Function("said", {}, Kind.INTEGER))
    assert refused.value.code == "kind_mismatch"


@pytest.mark.anyio
async def test_a_function_may_refuse_in_the_words_of_tollkeeper() -> None:
    def refuse() -> list[dict[str, int]]:
        raise InvalidRequest("not today", code="not_today")

    tables = MemoryTables(functions={"refuse": refuse})
    with pytest.raises(InvalidRequest, match="not today"):
        await tables.call(Function("refuse"))


def test_threads_and_loops_may_share_them() -> None:
    tables = MemoryTables(TABLES)

    def work(number: int) -> None:
        async def add() -> None:
            for turn in range(50):
                await tables.insert(VALUES, [{"id": number * 1000 + turn}])

        asyncio.run(add())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(asyncio.run(tables.select(VALUES, limit=1000)).rows) == 200


@pytest.mark.parametrize("url", ["memory://x", "memory:///x", "memory://?a=1", "redis://"])
def test_urls_that_say_more_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="memory://"):
        MemoryTables.from_url(url)
