"""The contracts of :class:`tollkeeper.ports.tables.Tables`."""

import pytest

from tollkeeper.contracts.tables_filters import TablesFilters
from tollkeeper.contracts.tables_pages import TablesPages
from tollkeeper.contracts.tables_samples import ADD, FAILS, LISTED, SILENT
from tollkeeper.contracts.tables_suite import TablesSuite
from tollkeeper.contracts.tables_values import TablesValues
from tollkeeper.contracts.tables_writes import TablesAtOnce, TablesWrites
from tollkeeper.domain.errors import InvalidRequest, NotFound, Rejected
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Function
from tollkeeper.ports.tables import Tables

_BIG = (1 << 62) - 1


class TablesContract(TablesValues, TablesFilters, TablesPages, TablesWrites, TablesAtOnce):
    """What all tables promise.

    Fixture: ``tables``, on which the tables of :mod:`tollkeeper.contracts.tables_samples` are, as
    they are declared there, and empty.
    """


class FunctionsContract(TablesSuite):
    """What tables promise whose database has functions.

    Fixture: ``tables``, on which the functions of :mod:`tollkeeper.contracts.tables_samples` are.
    """

    async def test_a_value_comes_back_as_a_result(self, tables: Tables) -> None:
        assert await tables.call(ADD, {"a": 1, "b": 2}) == ({"result": 3},)
        assert await tables.call(ADD, {"b": _BIG, "a": _BIG}) == ({"result": 2 * _BIG},)
        assert await tables.call(ADD, {"a": None, "b": 1}) == ({"result": None},)

    @pytest.mark.parametrize("said", ["", "'; DROP TABLE x; --", 'ü"\n\\', None], ids=ascii)
    async def test_rows_come_back_as_declared(self, tables: Tables, said: str | None) -> None:
        rows = await tables.call(LISTED, {"many": 12, "said": said})
        assert [row["number"] for row in rows] == [*range(1, 13)]
        assert [str(row["price"]) for row in rows[:3]] == ["1.1", "2.1", "3.1"]
        assert all((row["heard"], row["nothing"]) == (said, None) for row in rows)
        assert all(set(row) == set(LISTED.columns) for row in rows)
        assert await tables.call(LISTED, {"many": 0, "said": said}) == ()

    async def test_what_returns_nothing_returns_no_rows(self, tables: Tables) -> None:
        assert await tables.call(SILENT) == ()
        assert (
            await tables.call(Function(LISTED.name, LISTED.arguments), {"many": 1, "said": ""})
            == ()
        )

    async def test_too_many_rows_are_never_cut_off(self, tables: Tables) -> None:
        assert len(await tables.call(LISTED, {"many": 1000, "said": "x"})) == 1000
        with pytest.raises(Rejected) as refused:
            await tables.call(LISTED, {"many": 1001, "said": "x"})
        assert refused.value.code == "too_many_rows"

    async def test_its_own_errors_are_told_apart(self, tables: Tables) -> None:
        with pytest.raises(Rejected) as refused:
            await tables.call(FAILS)
        assert (refused.value.code, refused.value.port) == ("function_raised", "tables")
        assert not refused.value.ambiguous
        self.tells_nothing(refused.value, "a secret")

    async def test_a_function_that_is_not_there_is_named(self, tables: Tables) -> None:
        for function in (
            Function("contract_ghost", {}, Kind.INTEGER),
            Function("contract_ghost", {"a": Kind.TEXT}),
        ):
            with pytest.raises(NotFound) as refused:
                await tables.call(function, dict.fromkeys(function.arguments, "x"))
            assert refused.value.code == "function_not_found"

    @pytest.mark.parametrize(
        "arguments",
        [None, {}, {"a": 1}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": "2"}, {"a": 1, "b; --": 2}],
        ids=ascii,
    )
    async def test_arguments_are_those_of_the_declaration(
        self, tables: Tables, arguments: dict[str, object] | None
    ) -> None:
        with pytest.raises(InvalidRequest) as refused:
            await tables.call(ADD, arguments)
        assert refused.value.code == "invalid_value"
