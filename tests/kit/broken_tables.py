"""Tables, each with one fault."""

import asyncio
import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from attrs import evolve

from tollkeeper.adapters.memory.tables import MemoryTables
from tollkeeper.contracts.tables_samples import NOTES
from tollkeeper.domain.errors import Conflict, InvalidRequest, NotFound, Rejected, TollkeeperError
from tollkeeper.domain.filter_checks import checked_filter, holds
from tollkeeper.domain.filters import (
    And,
    Compare,
    Comparison,
    Everything,
    Filter,
    Not,
    OneOf,
    Or,
    col,
)
from tollkeeper.domain.queries import Order, Page
from tollkeeper.domain.tables import Function, Row, Table


class Changed(MemoryTables):
    """Changes each value that is written, as `kept` says, and each row that is read."""

    def kept(self, value: Any) -> Any:
        return value

    async def insert(self, table: Table, rows: Iterable[Row]) -> tuple[Row, ...]:
        listed = list(rows) if isinstance(rows, Iterable) else rows
        await MemoryTables().insert(table, listed)
        changed = [{name: self.kept(value) for name, value in row.items()} for row in listed]
        return await super().insert(table, changed)


class DecimalsAsFloats(Changed):
    def kept(self, value: Any) -> Any:
        return Decimal(str(float(value))) if isinstance(value, Decimal) else value


class NoMicroseconds(Changed):
    def kept(self, value: Any) -> Any:
        return value.replace(microsecond=0) if isinstance(value, datetime) else value


class TrimsTexts(Changed):
    def kept(self, value: Any) -> Any:
        return value.strip() if isinstance(value, str) else value


class TakesAnyValue(MemoryTables):
    async def insert(self, table: Table, rows: Iterable[Row]) -> tuple[Row, ...]:
        try:
            return await super().insert(table, rows)
        except InvalidRequest as refused:
            if refused.code != "invalid_value":
                raise
            return ()


class SharesWhatItKeeps(MemoryTables):
    def _given(self, table: Table, row: Row) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name in table.columns}


class Filtered(MemoryTables):
    """Understands conditions in a way of its own."""

    def meant(self, where: Filter) -> Filter:
        match where:
            case And(parts):
                return And(tuple(self.meant(part) for part in parts))
            case Or(parts):
                return Or(tuple(self.meant(part) for part in parts))
            case Not(part):
                return Not(self.meant(part))
        return where

    async def select(self, table: Table, *, where: Filter | None = None, **rest: Any) -> Page:
        meant = where if where is None else self.meant(where)
        return await super().select(table, where=meant, **rest)

    async def update(self, table: Table, values: Row, *, where: Filter) -> int:
        return await super().update(table, values, where=self.meant(where))

    async def delete(self, table: Table, *, where: Filter) -> int:
        return await super().delete(table, where=self.meant(where))


class TwoValuedLogic(Filtered):
    def meant(self, where: Filter) -> Filter:
        if isinstance(where, Not) and isinstance(where.part, Compare):
            return Or((where, col(where.part.column).is_null()))
        return super().meant(where)


class NothingInAListMeansAll(Filtered):
    def meant(self, where: Filter) -> Filter:
        return Everything() if getattr(where, "values", None) == () else super().meant(where)


class WildCards(Filtered):
    def meant(self, where: Filter) -> Filter:
        wild = isinstance(where, Compare) and where.how is Comparison.CONTAINS
        if wild and isinstance(where, Compare) and str(where.value).strip("%_*") != where.value:
            return evolve(where, value=str(where.value).strip("%_*"))
        return super().meant(where)


class WritesValuesIntoStatements(Filtered):
    def meant(self, where: Filter) -> Filter:
        if isinstance(where, Compare) and "'" in str(where.value):
            return Everything()
        return super().meant(where)


class CutsLists(Filtered):
    def meant(self, where: Filter) -> Filter:
        if isinstance(where, OneOf):
            return OneOf(where.column, where.values[:100])
        return super().meant(where)


class WholeTableWithoutAFilter(MemoryTables):
    async def update(self, table: Table, values: Row, *, where: Filter) -> int:
        return await super().update(table, values, where=where or Everything())

    async def delete(self, table: Table, *, where: Filter) -> int:
        return await super().delete(table, where=Everything() if where is None else where)


class NullsWhereTheyFall(MemoryTables):
    async def select(self, table: Table, *, order: Sequence[Order] = (), **rest: Any) -> Page:
        if isinstance(order, list) and all(isinstance(part, Order) for part in order):
            order = [evolve(part, nulls_first=part.descending) for part in order]
        return await super().select(table, order=order, **rest)


class CutsPages(MemoryTables):
    async def select(self, table: Table, *, limit: int = 100, **rest: Any) -> Page:
        page = await super().select(table, limit=limit, **rest)
        return Page(page.rows[:500], None) if len(page.rows) > 500 else page


class CountsRows(MemoryTables):
    """Knows a page by how many rows were before it."""

    async def select(
        self, table: Table, *, limit: int = 100, after: str | None = None, **rest: Any
    ) -> Page:
        start = int(base64.b64decode(after)) if after else 0
        rows = list((await super().select(table, limit=1000, **rest)).rows)
        more = len(rows) > start + limit
        cursor = base64.b64encode(str(start + limit).encode()).decode() if more else None
        return Page(tuple(rows[start : start + limit]), cursor)


class TakesAnyCursor(MemoryTables):
    async def select(self, table: Table, *, after: str | None = None, **rest: Any) -> Page:
        try:
            return await super().select(table, after=after, **rest)
        except InvalidRequest as refused:
            if refused.code != "invalid_cursor":
                raise
            return await super().select(table, **rest)


class RowByRow(MemoryTables):
    async def insert(self, table: Table, rows: Iterable[Row]) -> tuple[Row, ...]:
        listed = list(rows) if isinstance(rows, Iterable) else rows
        await MemoryTables().insert(table, listed) if table is not NOTES else None
        return tuple([(await MemoryTables.insert(self, table, [row]))[0] for row in listed])


class AnswersInAnotherOrder(MemoryTables):
    async def insert(self, table: Table, rows: Iterable[Row]) -> tuple[Row, ...]:
        return (await super().insert(table, rows))[::-1]


class NamesTheValue(MemoryTables):
    async def insert(self, table: Table, rows: Iterable[Row]) -> tuple[Row, ...]:
        listed = list(rows) if isinstance(rows, Iterable) else rows
        try:
            return await super().insert(table, listed)
        except Conflict as refused:
            raise Conflict(f"there is one like {listed!r}", code=refused.code) from None


class UpsertForgetsTheRest(MemoryTables):
    async def upsert(
        self, table: Table, rows: Iterable[Row], *, on: Sequence[str] | None = None
    ) -> tuple[Row, ...]:
        listed = list(rows) if isinstance(rows, Iterable) else rows
        if on is None and table is NOTES and listed and all("id" in row for row in listed):
            ids = [row["id"] for row in listed]
            await super().delete(table, where=col("id").is_in(ids))
        return await super().upsert(table, listed, on=on)


class SaysThatAllWasDone(MemoryTables):
    async def update(self, table: Table, values: Row, *, where: Filter) -> int:
        await super().update(table, values, where=where)
        return 1


class LooksAndThenChanges(MemoryTables):
    async def update(self, table: Table, values: Row, *, where: Filter) -> int:
        kept = self._rows_of(table)
        meant = checked_filter(table, where)
        ids = [row["id"] for row in kept._rows if holds(meant, row) is True]
        await asyncio.sleep(0)
        return await super().update(table, values, where=col("id").is_in(ids))


class AddsTheSameTwice(MemoryTables):
    def _rows_of(self, table: Table) -> Any:
        return super()._rows_of(evolve(table, unique=()))

    def __init__(self, tables: Iterable[Table]) -> None:
        super().__init__([evolve(table, unique=()) for table in tables])


class EmptyWhereNothingIs(MemoryTables):
    async def select(self, table: Table, **rest: Any) -> Page:
        try:
            return await super().select(table, **rest)
        except NotFound:
            return Page((), None)


class DoesItLater(MemoryTables):
    async def insert(self, table: Table, rows: Iterable[Row]) -> tuple[Row, ...]:
        work = asyncio.ensure_future(self._slowly(table, rows))
        return await asyncio.shield(work)

    async def _slowly(self, table: Table, rows: Iterable[Row]) -> tuple[Row, ...]:
        for _ in range(3):
            await asyncio.sleep(0)
        return await MemoryTables.insert(self, table, rows)


class CutsFunctions(MemoryTables):
    async def call(
        self, function: Function, arguments: Mapping[str, object] | None = None
    ) -> tuple[Row, ...]:
        try:
            return await super().call(function, arguments)
        except Rejected as refused:
            if refused.code != "too_many_rows":
                raise
            return ()


class TellsWhatTheFunctionSaid(MemoryTables):
    async def call(
        self, function: Function, arguments: Mapping[str, object] | None = None
    ) -> tuple[Row, ...]:
        try:
            return await super().call(function, arguments)
        except Rejected as refused:
            refused.__cause__ = ValueError("a secret")
            raise


class FailsForUnknownFunctions(MemoryTables):
    async def call(
        self, function: Function, arguments: Mapping[str, object] | None = None
    ) -> tuple[Row, ...]:
        try:
            return await super().call(function, arguments)
        except NotFound:
            return ()


class PassesAnyArguments(MemoryTables):
    async def call(
        self, function: Function, arguments: Mapping[str, object] | None = None
    ) -> tuple[Row, ...]:
        try:
            return await super().call(function, arguments)
        except TollkeeperError as refused:
            if refused.code != "invalid_value":
                raise
            return ()
