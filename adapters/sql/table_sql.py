"""Questions and changes of tables as statements: text of checked names, and values apart.

Nothing that a caller gave as a value ever becomes text of a statement; names were checked by their
declaration and are quoted, so that none is mistaken for a word of SQL.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field, frozen

from tollkeeper.domain.filters import (
    And,
    Compare,
    Comparison,
    Everything,
    Filter,
    IsNull,
    Not,
    OneOf,
    Or,
)
from tollkeeper.domain.queries import Order, Query
from tollkeeper.domain.row_changes import NewRows
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Function, Row, Table, split_name

_SIGNS = {
    Comparison.EQ: "=",
    Comparison.NE: "<>",
    Comparison.LT: "<",
    Comparison.LE: "<=",
    Comparison.GT: ">",
    Comparison.GE: ">=",
}
_ORDERED = (Comparison.LT, Comparison.LE, Comparison.GT, Comparison.GE)


@frozen
class Dialect:
    """How one database writes what others write otherwise.

    *marks* stand around a name. *placeholder* makes the mark of the n-th value, counted from 1, of
    a kind. *write* makes of a value of a kind what its driver takes. *collation* says what follows
    a column of a kind where it is sorted, and *equality* where it is compared alone. *starts_with*
    and *contains* have the places ``{column}`` and ``{value}``.
    """

    marks: str
    placeholder: Callable[[int, Kind], str]
    write: Callable[[Kind, Any], object]
    collation: Mapping[Kind, str]
    equality: Mapping[Kind, str]
    starts_with: str
    contains: str

    def quoted(self, name: str) -> str:
        """Return a checked *name* as SQL writes it."""
        return f"{self.marks[0]}{name}{self.marks[1]}"

    def listed(self, names: Iterable[str]) -> str:
        """Return checked *names* with commas between them."""
        return ", ".join(map(self.quoted, names))

    def name_of(self, declared: Table | Function) -> str:
        """Return the name of a table or function as SQL writes it."""
        schema, name = split_name(declared.name, field="table or function")
        return self.quoted(name) if schema is None else f"{self.quoted(schema)}.{self.quoted(name)}"


@frozen
class Statement:
    """A statement, and its values in order."""

    sql: str
    values: tuple[object, ...]


@define
class _Writing:
    """One statement on its way; values are counted as they come."""

    dialect: Dialect
    table: Table
    values: list[object] = field(factory=list)

    def value(self, column: str, value: object) -> str:
        """Put *value* aside and return its mark."""
        return self.bare(self.table.columns[column].kind, value)

    def bare(self, kind: Kind, value: object) -> str:
        """Put a value that is no column's aside and return its mark."""
        self.values.append(None if value is None else self.dialect.write(kind, value))
        return self.dialect.placeholder(len(self.values), kind)

    def sorted_by(self, column: str) -> str:
        kind = self.table.columns[column].kind
        return self.dialect.quoted(column) + self.dialect.collation.get(kind, "")

    def equal(self, column: str) -> str:
        kind = self.table.columns[column].kind
        return self.dialect.quoted(column) + self.dialect.equality.get(kind, "")

    def condition(self, where: Filter) -> str:
        match where:
            case Everything():
                return "TRUE"
            case IsNull(column):
                return f"{self.dialect.quoted(column)} IS NULL"
            case Compare(column, how, value):
                return self.comparison(column, how, value)
            case OneOf(column, values):
                marks = ", ".join(self.value(column, value) for value in values)
                return f"{self.equal(column)} IN ({marks})" if values else "FALSE"
            case And(parts):
                return self.joined(" AND ", parts, empty="TRUE")
            case Or(parts):
                return self.joined(" OR ", parts, empty="FALSE")
            case Not(part):
                return f"NOT ({self.condition(part)})"
        raise AssertionError("a filter is checked before it is written")

    def joined(self, word: str, parts: Iterable[Filter], *, empty: str) -> str:
        return word.join(f"({self.condition(part)})" for part in parts) or empty

    def comparison(self, column: str, how: Comparison, value: object) -> str:
        mark = self.value(column, value)
        if how is Comparison.STARTS_WITH:
            return self.dialect.starts_with.format(column=self.dialect.quoted(column), value=mark)
        if how is Comparison.CONTAINS:
            return self.dialect.contains.format(column=self.dialect.quoted(column), value=mark)
        left = self.sorted_by(column) if how in _ORDERED else self.equal(column)
        return f"{left} {_SIGNS[how]} {mark}"

    def order(self, part: Order) -> str:
        direction = "DESC" if part.descending else "ASC"
        where = "FIRST" if part.nulls_first else "LAST"
        text = f"{self.sorted_by(part.column)} {direction}"
        # Where nothing can be null, saying where nulls go would only keep an index from serving.
        return f"{text} NULLS {where}" if self.table.columns[part.column].nullable else text

    def done(self, sql: str) -> Statement:
        return Statement(sql, tuple(self.values))


def select(dialect: Dialect, query: Query) -> Statement:
    """Write a question; its rows have the columns :attr:`Query.fetched`."""
    writing = _Writing(dialect, query.table)
    where = writing.condition(query.where)
    order = ", ".join(writing.order(part) for part in query.order)
    limit = writing.bare(Kind.INTEGER, query.sought)
    return writing.done(
        f"SELECT {dialect.listed(query.fetched)} FROM {dialect.name_of(query.table)} "  # noqa: S608 - checked names
        f"WHERE {where} ORDER BY {order} LIMIT {limit}"
    )


def write(dialect: Dialect, new: NewRows) -> Statement:
    """Write an insert or upsert; it returns all columns of the table."""
    writing = _Writing(dialect, new.table)
    places = ", ".join(
        "(" + ", ".join(map(writing.value, new.columns, row)) + ")" for row in new.rows
    )
    target = f"{dialect.name_of(new.table)} ({dialect.listed(new.columns)})"
    sql = f"INSERT INTO {target} VALUES {places}"  # noqa: S608 - checked names
    if new.on:
        # Set to what it is where nothing else is given: only a row that is touched is returned.
        names = [dialect.quoted(name) for name in new.changed or new.on[:1]]
        changes = ", ".join(f"{name} = excluded.{name}" for name in names)
        sql += f" ON CONFLICT ({dialect.listed(new.on)}) DO UPDATE SET {changes}"
    return writing.done(f"{sql} RETURNING {dialect.listed(new.table.columns)}")


def update(dialect: Dialect, table: Table, values: Row, where: Filter) -> Statement:
    """Write an update."""
    writing = _Writing(dialect, table)
    changes = ", ".join(
        f"{dialect.quoted(name)} = {writing.value(name, value)}" for name, value in values.items()
    )
    condition = writing.condition(where)
    return writing.done(f"UPDATE {dialect.name_of(table)} SET {changes} WHERE {condition}")  # noqa: S608 - checked names


def delete(dialect: Dialect, table: Table, where: Filter) -> Statement:
    """Write a deletion."""
    writing = _Writing(dialect, table)
    condition = writing.condition(where)
    return writing.done(f"DELETE FROM {dialect.name_of(table)} WHERE {condition}")  # noqa: S608 - checked names
