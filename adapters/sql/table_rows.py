"""Rows of a host's table, made of what a database gave back."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from tollkeeper.domain.errors import PortError
from tollkeeper.domain.table_values import Kind, mismatch
from tollkeeper.domain.tables import Table

T = TypeVar("T")


class Read(Protocol):
    """Makes of what a driver gave back for the column *field* a value of *kind*."""

    def __call__(self, kind: Kind, value: Any, *, field: str) -> Any:
        """Raise CorruptResponse where it is of another kind."""


def read_rows(
    table: Table,
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    read: Read,
    adapter: str,
) -> tuple[dict[str, Any], ...]:
    """Return *rows*, which hold a value for each of *names*.

    Raises:
        CorruptResponse: a column holds something else than was declared, or null where there
            should be none, of which pages in order would lose rows (code ``kind_mismatch``).
    """
    columns: list[tuple[str, Kind, bool]] = [
        (name, table.columns[name].kind, table.columns[name].nullable) for name in names
    ]

    def whole(name: str, kind: Kind, value: Any, *, nullable: bool) -> Any:
        if value is None and not nullable:
            raise mismatch(f"{kind} and never null", adapter=adapter, field=name)
        return read(kind, value, field=name)

    return tuple(
        {
            name: whole(name, kind, value, nullable=nullable)
            for (name, kind, nullable), value in zip(columns, row, strict=True)
        }
        for row in rows
    )


def doubtful(work: Callable[[], T]) -> T:
    """Return what *work* makes of the answer to a change that is done.

    Raises:
        PortError: as *work* raised it, and ``ambiguous``: the change stands all the same.
    """
    try:
        return work()
    except PortError as error:
        error.ambiguous = True
        raise
