"""The rows of one table in memory, and what is enforced on them."""

from collections.abc import Iterable, Mapping
from typing import Any

from tollkeeper.domain.errors import Conflict, InvalidRequest, NotFound
from tollkeeper.domain.filter_checks import checked_filter, holds
from tollkeeper.domain.filters import Filter
from tollkeeper.domain.queries import Query, row_order
from tollkeeper.domain.row_changes import NewRows
from tollkeeper.domain.table_values import checked_value
from tollkeeper.domain.tables import Row, Table

Kept = dict[str, Any]
Others = Mapping[str, "MemoryTable"]


class MemoryTable:
    """Rows of one declaration; the caller holds the lock.

    Each change makes a new list, checks it, and only then puts it in the place of the old one.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows: list[Kept] = []
        self._number = 0
        self._unique = (table.key, *table.unique)
        self._checks = tuple(checked_filter(table, check) for check in table.checks)

    def checked_against(self, declared: Table) -> None:
        """Check that *declared* names columns that are here.

        Raises:
            NotFound: one is not, or is of another kind (code ``column_not_found``).
        """
        if declared is self._table or declared == self._table:
            return
        for name, column in declared.columns.items():
            there = self._table.columns.get(name)
            if there is None or there.kind is not column.kind:
                raise NotFound(
                    "the table has no such column, or one of another kind", code="column_not_found"
                )

    def sought(self, query: Query) -> list[Row]:
        """Return the rows that *query* seeks."""
        rows = [row for row in self._rows if holds(query.where, row) is True]
        rows.sort(key=row_order(query.order))
        return [{name: row[name] for name in query.fetched} for row in rows[: query.sought]]

    def write(self, new: NewRows, others: Others) -> list[Kept]:
        """Insert or upsert, all or nothing, and return the rows as they are kept."""
        number = self._number
        rows, places = list(self._rows), []
        index = {_value_of(row, new.on): at for at, row in enumerate(rows)} if new.on else {}
        taken = {
            group: {_value_of(row, group): at for at, row in enumerate(rows)}
            for group in self._unique
        }
        for values in new.rows:
            given = dict(zip(new.columns, values, strict=True))
            row, counted = self._whole(given, number)
            self._check(row)
            same = _value_of(given, new.on) if new.on else None
            at = index.get(same) if same is not None else None
            if at is None:
                number, at = counted, len(rows)
                rows.append(row)
            else:
                old, row = rows[at], rows[at] | {name: given[name] for name in new.changed}
                rows[at] = row
                for group in self._unique:
                    taken[group].pop(_value_of(old, group), None)
            places.append(at)
            # Row by row, as a database does: what is unique in the end must be so all the while.
            for group in self._unique:
                value = _value_of(row, group)
                if value is not None and taken[group].setdefault(value, at) != at:
                    raise _there_already()
        self._replace(rows, [rows[at] for at in places], others)
        self._number = number
        return [rows[at] for at in places]

    def update(self, values: Row, where: Filter, others: Others) -> int:
        """Set *values* in the rows of which *where* is true, and return their number."""
        rows = [{**row, **values} if holds(where, row) is True else row for row in self._rows]
        changed = [row for row, old in zip(rows, self._rows, strict=True) if row is not old]
        self._replace(rows, changed, others)
        return len(changed)

    def delete(self, where: Filter, others: Others) -> int:
        """Delete the rows of which *where* is true, and return their number."""
        rows = [row for row in self._rows if holds(where, row) is not True]
        deleted = len(self._rows) - len(rows)
        self._replace(rows, (), others)
        return deleted

    def _whole(self, given: Kept, number: int) -> tuple[Kept, int]:
        row: Kept = {}
        for name, column in self._table.columns.items():
            if name in given:
                row[name] = given[name]
            elif column.generated:
                number += 1
                row[name] = number
            else:
                row[name] = checked_value(column.kind, column.default, field=name)
        return row, number

    def _replace(self, rows: list[Kept], changed: Iterable[Kept], others: Others) -> None:
        for row in changed:
            self._check(row)
        for group in self._unique:
            known = [value for row in rows if (value := _value_of(row, group)) is not None]
            if len(set(known)) < len(known):
                raise _there_already()
        old, self._rows = self._rows, rows
        try:
            self._check_references(changed, others)
        except InvalidRequest:
            self._rows = old
            raise

    def _check(self, row: Kept) -> None:
        for name, column in self._table.columns.items():
            if row[name] is None and not column.nullable:
                raise InvalidRequest(f"{name} needs a value", code="value_missing")
        if any(holds(check, row) is False for check in self._checks):
            raise InvalidRequest("the table's own checks refuse the row", code="check_failed")

    def _check_references(self, changed: Iterable[Kept], others: Others) -> None:
        for name, reference in self._table.references.items():
            self._find(changed, name, others.get(reference.table), reference.column)
        for other in others.values():
            for name, reference in other._table.references.items():
                if reference.table == self._table.name:
                    self._find(other._rows, name, self, reference.column)

    @staticmethod
    def _find(rows: Iterable[Kept], name: str, target: "MemoryTable | None", column: str) -> None:
        there = {row[column] for row in target._rows} if target is not None else set()
        if any(row[name] is not None and row[name] not in there for row in rows):
            raise InvalidRequest(
                "a row refers to one that is not there, or is referred to", code="reference_broken"
            )


def _there_already() -> Conflict:
    return Conflict("a row with the same unique values is there", code="row_exists")


def _value_of(row: Row, names: Iterable[str]) -> tuple[Any, ...] | None:
    """Return what makes *row* unique; None if a part is null, which equals nothing."""
    value = tuple(row[name] for name in names)
    return None if None in value else value
