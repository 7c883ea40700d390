"""Tables and functions of a host's own database, as the host declares them.

A declaration says how values are read back, which columns there are, and what makes a row unique.
It makes no table: that is for the host's own migrations. In memory, where there are none, it is
also what is enforced.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.filters import Filter
from tollkeeper.domain.read_only import made_anew, read_only
from tollkeeper.domain.table_values import Kind

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_MOST_COLUMNS = 500
Row = Mapping[str, Any]
"""The values of a row, by the names of their columns."""


def checked_name(name: object, *, field: str) -> str:
    """Return *name*: 1-63 letters, digits and ``_`` that do not begin with a digit.

    Raises:
        InvalidRequest: it is anything else (code ``invalid_table``).
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"the name of a {field} is 1-63 letters, digits or _, and begins with no digit",
            code="invalid_table",
        )
    return name


def split_name(name: object, *, field: str) -> tuple[str | None, str]:
    """Part ``schema.name`` into the two; a name alone has no schema.

    Raises:
        InvalidRequest: one of them is no name (code ``invalid_table``).
    """
    schema, dot, last = name.rpartition(".") if isinstance(name, str) else ("", "", name)
    return checked_name(schema, field=field) if dot else None, checked_name(last, field=field)


@frozen
class Column:
    """One column.

    *default* is what a row without it gets, and *generated* says that the database numbers the
    rows itself; both describe what the database does, and are done by us in memory alone.
    """

    kind: Kind = field(converter=Kind)
    nullable: bool = field(default=False, kw_only=True)
    default: object = field(default=None, kw_only=True)
    generated: bool = field(default=False, kw_only=True)


@frozen
class Reference:
    """Says that a column's values are those of *column* in *table*."""

    table: str
    column: str


def _columns(given: Mapping[str, Column | Kind]) -> Mapping[str, Column]:
    return read_only({n: c if isinstance(c, Column) else Column(c) for n, c in dict(given).items()})


def _references(given: Mapping[str, Reference]) -> Mapping[str, Reference]:
    return read_only(given)


def _kinds(given: Mapping[str, Kind]) -> Mapping[str, Kind]:
    return read_only({name: Kind(kind) for name, kind in given.items()})


def _returns(given: Mapping[str, Kind] | Kind | None) -> Mapping[str, Kind] | Kind | None:
    if given is None:
        return None
    return _kinds(given) if isinstance(given, Mapping) else Kind(given)


def _filters(given: Iterable[Filter]) -> tuple[Filter, ...]:
    return tuple(given)


def _names(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _groups(given: Iterable[str | Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(_names(group) for group in given)


@frozen
class Table:
    """A table: its name (``notes`` or ``app.notes``), its columns, and the *key* of each row.

    *columns* maps names to a :class:`Column`, or to a :class:`Kind` where a value is required;
    *key* names the columns of the primary key. *unique* lists what else may be there once.
    *references* and *checks* are enforced in memory alone: everywhere else, by the database.

    Raises:
        InvalidRequest: a name is malformed, or names no column (code ``invalid_table``).
    """

    name: str
    columns: Mapping[str, Column] = field(converter=_columns)
    key: tuple[str, ...] = field(converter=_names, kw_only=True)
    unique: tuple[tuple[str, ...], ...] = field(converter=_groups, default=(), kw_only=True)
    references: Mapping[str, Reference] = field(converter=_references, factory=dict, kw_only=True)
    checks: tuple[Filter, ...] = field(converter=_filters, default=(), kw_only=True)

    __reduce__ = made_anew

    def __attrs_post_init__(self) -> None:
        split_name(self.name, field="table")
        for name in self.columns:
            checked_name(name, field="column")
        if not 1 <= len(self.columns) <= _MOST_COLUMNS:
            raise _malformed(f"a table has 1-{_MOST_COLUMNS} columns")
        for group in (self.key, *self.unique):
            if not group or len(set(group)) < len(group):
                raise _malformed("a key names one or more columns, each of them once")
        for name in {name for group in (self.key, *self.unique) for name in group}:
            if name not in self.columns or self.columns[name].kind is Kind.JSON:
                raise _malformed("a key names columns that are there, and not of kind JSON")
        if any(self.columns[name].nullable for name in self.key):
            raise _malformed("the columns of the key always have a value")
        if not self.references.keys() <= self.columns.keys():
            raise _malformed("references begin at columns that are there")

    def column(self, name: object) -> Column:
        """Return a column by its name.

        Raises:
            InvalidRequest: there is none (code ``unknown_column``).
        """
        column = self.columns.get(name) if isinstance(name, str) else None
        if column is None:
            raise InvalidRequest(
                f"the table {self.name} has no such column; it has {', '.join(self.columns)}",
                code="unknown_column",
            )
        return column


@frozen
class Function:
    """A function of the database: its name, the kinds of its arguments, and what it *returns*.

    *returns* is the kinds of the columns of its rows; or one kind, for a single value in each
    row, which is then called ``result``; or None, if what it returns is of no interest.

    Raises:
        InvalidRequest: a name is malformed (code ``invalid_table``).
    """

    name: str
    arguments: Mapping[str, Kind] = field(converter=_kinds, factory=dict)
    returns: Mapping[str, Kind] | Kind | None = field(default=None, converter=_returns)

    __reduce__ = made_anew

    def __attrs_post_init__(self) -> None:
        split_name(self.name, field="function")
        for name in (*self.arguments, *self.columns):
            checked_name(name, field="argument or column")

    @property
    def columns(self) -> Mapping[str, Kind]:
        """The kinds of what it returns, by name."""
        if self.returns is None:
            return {}
        return {"result": self.returns} if isinstance(self.returns, str) else self.returns


def _malformed(text: str) -> InvalidRequest:
    return InvalidRequest(text, code="invalid_table")
