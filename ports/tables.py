"""A host's own tables, on whatever database it has."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from tollkeeper.domain.filters import Filter
from tollkeeper.domain.queries import Order, Page
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.tables import Function, Row, Table


@runtime_checkable
class Tables(Protocol):
    """Reads and writes rows of tables that the host made and declares.

    Tables are named by their declaration, a :class:`~tollkeeper.domain.tables.Table`; values are
    those of :class:`~tollkeeper.domain.table_values.Kind`, and come back the same from each
    database: times in UTC, decimals without zeros at their end, JSON as a copy of its own. What
    the database rounds or cuts by its own rules comes back so. Conditions follow the logic of SQL,
    see :mod:`tollkeeper.domain.filters`. Names and values never become part of a statement's text.

    Each method is atomic: all of it is done, or nothing. A write is never sent twice by itself;
    where its answer is lost, the error is ``ambiguous``. Reads may be repeated.

    Raises:
        InvalidRequest: what is asked is malformed (the codes are those of the checks: among them
            ``unknown_column``, ``invalid_value``, ``invalid_filter``); a value is required and
            missing (``value_missing``), a check of the table fails (``check_failed``), a row
            refers to none, or is referred to (``reference_broken``), or the database cannot keep
            a value in its column (``value_refused``).
        NotFound: the database has no such table, column or function (``table_not_found``,
            ``column_not_found``, ``function_not_found``).
        Conflict: a row with the same unique values is there (``row_exists``).
        PortError: the database failed or is out of reach; CorruptResponse with the code
            ``kind_mismatch`` where it holds something else than was declared.
    """

    async def select(
        self,
        table: Table,
        *,
        where: Filter | None = None,
        order: Sequence[Order] = (),
        columns: Sequence[str] | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page:
        """Return up to *limit* (1-1,000) rows of which *where* is true, and the cursor of the rest.

        Rows are in the given *order*, and by the key where that leaves it open; *columns* chooses
        what they hold. *after* is the cursor of an earlier page of the same question: pages that
        follow one another hold each row that is there all the while exactly once, whatever is
        inserted and deleted meanwhile. A page without a cursor is the last one, even where the
        database limits its answers by itself.

        Raises:
            InvalidRequest: *after* is no cursor of this question (``invalid_cursor``); or the
                database cannot be asked for so much at once (``filter_too_long``), which holds
                for updates and deletions too.
        """

    async def insert(self, table: Table, rows: Iterable[Row]) -> tuple[Row, ...]:
        """Add *rows*, all or none, and return them whole, in their order.

        At most 1,000 of them, with the same columns each; columns that they lack get what the
        table gives them.

        Raises:
            InvalidRequest: they are more (``too_many_rows``), or not alike (``invalid_rows``).
        """

    async def upsert(
        self, table: Table, rows: Iterable[Row], *, on: Sequence[str] | None = None
    ) -> tuple[Row, ...]:
        """Add *rows* like :meth:`insert`, or take their values where they are there already.

        *on* (the key, if left out) says which columns tell that; they must be unique together,
        by the table's declaration and in the database. Columns that *rows* lack stay as they are,
        but each row must have what a new one needs.

        Raises:
            InvalidRequest: two of *rows* are the same by *on* (``duplicate_row``).
            Conflict: something else that is unique is there (``row_exists``).
        """

    async def update(self, table: Table, values: Row, *, where: Filter) -> int:
        """Set *values* in all rows of which *where* is true, and return how many there were.

        It is decided row by row at the moment of the change: of any number of callers who ask for
        a row with ``version == 3`` and set it to 4, one gets 1.
        """

    async def delete(self, table: Table, *, where: Filter) -> int:
        """Delete all rows of which *where* is true, and return how many there were."""

    async def call(
        self, function: Function, arguments: Mapping[str, object] | None = None
    ) -> tuple[Row, ...]:
        """Call a *function* of the database, in one transaction, and return its rows.

        Raises:
            InvalidRequest: *arguments* are not those of the declaration (``invalid_value``).
            Rejected: the function raised an error of its own (``function_raised``; SQLSTATE in
                ``provider_code``), or returned more than 1,000 rows (``too_many_rows``): what it
                did stands then, and so the error is ``ambiguous``.
            Unsupported: there are no functions here (``functions_unsupported``), or what this one
                returns cannot be read without doubt (``function_unsupported``).
        """


@runtime_checkable
class UserTables(Protocol):
    """Tables of a database that knows the host's users by itself: optional, beside Tables."""

    def as_user(self, token: Secret | str) -> Tables:
        """Return the tables as the user who signed in with *token* may see and change them.

        What is not for them is not there; what they may not do is PermissionDenied.
        """
