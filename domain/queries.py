"""Questions to a table, page by page.

Rows have one order: the one that was asked for, and then that of the table's key, so that no two
are the same. A page begins after the last row of the one before (*keyset pagination*): rows that
come and go meanwhile move no other row from one page to another.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import frozen

from tollkeeper.domain.checks import checked_limit
from tollkeeper.domain.cursors import read_cursor, write_cursor
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.filter_checks import checked_filter
from tollkeeper.domain.filters import And, Everything, Filter, IsNull, Not, Or, col
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Row, Table

MOST_ROWS = 1000
"""How many rows a page may have, and how many one insert or call."""
_MOST_ORDERS = 8


@frozen
class Order:
    """Sorts by a column; rows without a value come last, unless *nulls_first*."""

    column: str
    descending: bool = False
    nulls_first: bool = False


@frozen
class Page:
    """Some rows, and the *cursor* of the rest: None if there is none."""

    rows: tuple[Row, ...]
    cursor: str | None


@frozen
class Query:
    """A question that was checked: what an adapter translates.

    *where* holds the position too, *order* ends with the key, and *fetched* are the columns that
    are needed, in the order of the declaration: those that were asked for, and those that tell
    the position. An adapter reads *sought* rows of them, and hands them to :meth:`page`.
    """

    table: Table
    where: Filter
    order: tuple[Order, ...]
    fetched: tuple[str, ...]
    columns: tuple[str, ...]
    limit: int
    asked: Filter
    """What was asked, without the position."""

    @property
    def sought(self) -> int:
        """How many rows to read: one more than asked for tells whether there are more."""
        return self.limit + 1

    def page(self, rows: Sequence[Row]) -> Page:
        """Make the page of *rows*, the first :attr:`sought` that there are."""
        kept = rows[: self.limit]
        cursor = None
        if len(rows) > self.limit:
            cursor = write_cursor(
                self.table, self._subject(), [kept[-1][order.column] for order in self.order]
            )
        return Page(tuple({name: row[name] for name in self.columns} for row in kept), cursor)

    def after(self, row: Row) -> "Query":
        """Return the question for what comes after *row*: one of those that were read."""
        values = [row[order.column] for order in self.order]
        where = And((self.asked, position(self.table, self.order, values)))
        return Query(
            self.table, where, self.order, self.fetched, self.columns, self.limit, self.asked
        )

    def _subject(self) -> object:
        return self.order, self.asked


def prepared(
    table: Table,
    *,
    where: Filter | None,
    order: Sequence[Order],
    columns: Sequence[str] | None,
    limit: int,
    after: str | None,
) -> Query:
    """Check a question.

    Raises:
        InvalidRequest: something is malformed; see :meth:`tollkeeper.ports.tables.Tables.select`.
    """
    checked_table(table)
    checked_limit(limit, most=MOST_ROWS)
    asked = Everything() if where is None else checked_filter(table, where)
    whole = _whole_order(table, order)
    chosen = _chosen(table, columns)
    needed = {*chosen, *(part.column for part in whole)}
    fetched = tuple(name for name in table.columns if name in needed)
    query = Query(table, asked, whole, fetched, chosen, limit, asked)
    if after is None:
        return query
    values = read_cursor(table, query._subject(), after, [part.column for part in whole])
    return query.after(dict(zip([part.column for part in whole], values, strict=True)))


def checked_table(table: object) -> Table:
    """Return *table*, a declaration.

    Raises:
        InvalidRequest: it is a name alone, say (code ``invalid_table``).
    """
    if not isinstance(table, Table):
        raise InvalidRequest("name a Table, which says what its columns are", code="invalid_table")
    return table


def position(table: Table, order: Sequence[Order], values: Sequence[object]) -> Filter:
    """Return the condition of all rows that come after the one with *values*."""
    choices: list[Filter] = []
    same: list[Filter] = []
    for part, value in zip(order, values, strict=True):
        column = col(part.column)
        further = _further(part, value, nullable=table.columns[part.column].nullable)
        if further is not None:
            choices.append(And((*same, further)))
        same.append(IsNull(part.column) if value is None else column == value)
    behind = Or(tuple(choices))
    first = order[0]
    if values[0] is None or table.columns[first.column].nullable:
        return behind
    # It says nothing new, but lets a database begin to read an index at the position.
    start = col(first.column) <= values[0] if first.descending else col(first.column) >= values[0]
    return And((start, behind))


def _further(part: Order, value: object, *, nullable: bool) -> Filter | None:
    if value is None:
        return Not(IsNull(part.column)) if part.nulls_first else None
    beyond = col(part.column) < value if part.descending else col(part.column) > value
    return Or((beyond, IsNull(part.column))) if nullable and not part.nulls_first else beyond


def _whole_order(table: Table, order: Sequence[Order]) -> tuple[Order, ...]:
    parts = tuple(order) if isinstance(order, Iterable) else (order,)
    if len(parts) > _MOST_ORDERS or not all(isinstance(part, Order) for part in parts):
        raise _unordered(f"order must list at most {_MOST_ORDERS} times Order(column)")
    names = [part.column for part in parts]
    if any(table.column(name).kind is Kind.JSON for name in names):
        raise _unordered("JSON has no order")
    if len(set(names)) < len(names):
        raise _unordered("a column can be ordered by once")
    return (*parts, *(Order(name) for name in table.key if name not in names))


def _chosen(table: Table, columns: Sequence[str] | None) -> tuple[str, ...]:
    if columns is None:
        return tuple(table.columns)
    if isinstance(columns, str) or not isinstance(columns, Iterable):
        columns = (columns,)
    names = tuple(columns)
    for name in names:
        table.column(name)
    if not names or len(set(names)) < len(names):
        raise InvalidRequest("columns must name one or more, each once", code="invalid_columns")
    return names


def _unordered(text: str) -> InvalidRequest:
    return InvalidRequest(text, code="invalid_order")


def row_order(order: Sequence[Order]) -> Callable[[Row], Any]:
    """Return a key to sort rows by, as ``sorted`` takes it: for adapters that sort themselves."""
    return lambda row: tuple(_Place(row[part.column], part) for part in order)


@frozen(eq=False)
class _Place:
    value: Any
    part: Order

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Place) and bool(self.value == other.value)

    def __lt__(self, other: "_Place") -> bool:
        if self.value is None or other.value is None:
            missing = (self.value is None) - (other.value is None)
            return missing > 0 if self.part.nulls_first else missing < 0
        return bool(self.value > other.value if self.part.descending else self.value < other.value)
