"""What may be written to a table, and a function be called with."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.filter_checks import checked_filter
from tollkeeper.domain.filters import Filter
from tollkeeper.domain.queries import MOST_ROWS, checked_table
from tollkeeper.domain.table_values import checked_value
from tollkeeper.domain.tables import Function, Row, Table

MOST_VALUES = 30_000
"""How many values one insert may have: what one statement of PostgreSQL takes."""


@frozen
class NewRows:
    """Rows to write: the *columns* that each has, in order, and their values.

    *on* is empty for an insert; for an upsert, it names what tells that a row is there already,
    and *changed* what is then taken from the new one.
    """

    table: Table
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    on: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def checked_insert(table: Table, rows: Iterable[Row]) -> NewRows:
    """Check what :meth:`~tollkeeper.ports.tables.Tables.insert` is called with.

    Raises:
        InvalidRequest: something is malformed.
    """
    checked_table(table)
    listed = list(rows) if isinstance(rows, Iterable) and not isinstance(rows, Mapping) else []
    if not listed or not all(isinstance(row, Mapping) for row in listed):
        raise _malformed("rows must be one or more mappings from columns to values")
    given = listed[0].keys()
    if any(row.keys() != given for row in listed):
        raise _malformed("all rows of one call must have the same columns")
    columns = tuple(name for name in table.columns if name in given)
    for name in given:
        table.column(name)
    if len(listed) > MOST_ROWS or len(listed) * len(columns) > MOST_VALUES:
        raise InvalidRequest(
            f"one call writes at most {MOST_ROWS} rows and {MOST_VALUES} values; make several, "
            "each of which is one step",
            code="too_many_rows",
        )
    if not columns:
        raise _malformed("a row needs at least one value")
    kinds = [(name, table.columns[name].kind) for name in columns]
    values = tuple(
        tuple(checked_value(kind, row[name], field=name) for name, kind in kinds) for row in listed
    )
    return NewRows(table, columns, values)


def checked_upsert(table: Table, rows: Iterable[Row], on: Sequence[str] | None) -> NewRows:
    """Check what :meth:`~tollkeeper.ports.tables.Tables.upsert` is called with.

    Raises:
        InvalidRequest: something is malformed.
    """
    new = checked_insert(table, rows)
    names = table.key if on is None else (on,) if isinstance(on, str) else tuple(on)
    if set(names) not in [set(group) for group in (table.key, *table.unique)]:
        raise _malformed("on must name the columns of the key, or of something else unique")
    if not set(names) <= set(new.columns):
        raise _malformed("each row must have the columns that on names")
    places = [new.columns.index(name) for name in names]
    seen = [tuple(row[place] for place in places) for row in new.rows]
    # Null equals nothing, not even another null.
    known = [place for place in seen if None not in place]
    if len(set(known)) < len(known):
        raise InvalidRequest(
            "two of the rows are the same one, by what on names", code="duplicate_row"
        )
    changed = tuple(name for name in new.columns if name not in names)
    return NewRows(table, new.columns, new.rows, names, changed)


def checked_changes(table: Table, values: Row) -> Mapping[str, Any]:
    """Check what :meth:`~tollkeeper.ports.tables.Tables.update` is to set.

    Raises:
        InvalidRequest: something is malformed.
    """
    checked_table(table)
    if not isinstance(values, Mapping) or not values:
        raise _malformed("values must map one or more columns to values")
    return {
        name: checked_value(table.column(name).kind, value, field=name)
        for name, value in values.items()
    }


def checked_where(table: Table, where: Filter) -> Filter:
    """Check which rows are meant by a change.

    Raises:
        InvalidRequest: it is malformed, or None: all rows are ``Everything()``.
    """
    checked_table(table)
    if where is None:
        raise InvalidRequest(
            "say which rows are meant; for all of them, where=Everything()", code="invalid_filter"
        )
    return checked_filter(table, where)


def checked_arguments(function: Function, arguments: Row | None) -> Mapping[str, Any]:
    """Check what a function is called with.

    Raises:
        InvalidRequest: it does not have these arguments, or not of these kinds.
    """
    if not isinstance(function, Function):
        raise InvalidRequest("name a Function, which says what it takes", code="invalid_table")
    given = {} if arguments is None else dict(arguments)
    if given.keys() != function.arguments.keys():
        names = ", ".join(function.arguments) or "none"
        raise InvalidRequest(f"the arguments of {function.name} are: {names}", code="invalid_value")
    return {
        name: checked_value(kind, given[name], field=name)
        for name, kind in function.arguments.items()
    }


def _malformed(text: str) -> InvalidRequest:
    return InvalidRequest(text, code="invalid_rows")
