"""What was asked of providers, in SQLite."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from tollkeeper.adapters.sqlite.attempts import COLUMNS, append_attempts, attempt_from_row
from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.rows import FROM_THE_START, page_size, span
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.errors import NotFound

_POSITION = "SELECT started_at FROM attempts WHERE id = ? AND account = ?"
_PAGE = f"""
    SELECT {COLUMNS} FROM attempts
    WHERE account = ? AND started_at >= ? AND started_at < ? AND (started_at, id) > (?, ?)
    ORDER BY started_at, id LIMIT ?
"""  # noqa: S608 - no more than the names of columns
_PAGE_OF_A_CALL = f"""
    SELECT {COLUMNS} FROM attempts
    WHERE account = ? AND started_at >= ? AND started_at < ? AND (started_at, id) > (?, ?)
        AND call_id = ?
    ORDER BY started_at, id LIMIT ?
"""  # noqa: S608 - no more than the names of columns


class SqliteAttemptLog:
    """Keeps attempts in one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, attempts: Sequence[Attempt]) -> None:
        """Append *attempts*, all or none."""
        new = tuple(attempts)
        await self._database.change(lambda connection: append_attempts(connection, new))

    async def attempts(
        self,
        *,
        account: str,
        call_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[Attempt, ...]:
        """Return the account's attempts in order of ``(started_at, id)``."""
        period = span(since, until)

        def read(connection: sqlite3.Connection) -> tuple[Attempt, ...]:
            position = (FROM_THE_START, "")
            if after is not None:
                found = connection.execute(_POSITION, (after, account)).fetchall()
                if not found:
                    raise NotFound("no such attempt", code="attempt_not_found")
                position = (found[0][0], after)
            asked = (account, *period, *position)
            size = page_size(limit)
            rows = (
                connection.execute(_PAGE, (*asked, size)).fetchall()
                if call_id is None
                else connection.execute(_PAGE_OF_A_CALL, (*asked, call_id, size)).fetchall()
            )
            return tuple(map(attempt_from_row, rows))

        return await self._database.scan(read)
