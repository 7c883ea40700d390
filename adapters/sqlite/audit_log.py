"""Who changed what, in SQLite."""

import json
import sqlite3
from typing import Any

from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.rows import from_micros, page_size, to_micros
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import NotFound

_INSERT = """
    INSERT INTO audit_entries (id, at, account, actor, action, subject, details)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_SEQUENCE = "SELECT sequence FROM audit_entries WHERE id = ? AND account = ?"
_PAGE = """
    SELECT id, at, account, actor, action, subject, details FROM audit_entries
    WHERE account = ? AND sequence > ? ORDER BY sequence LIMIT ?
"""


def append_audit(connection: sqlite3.Connection, entry: AuditEntry) -> None:
    """Write *entry* in the transaction of the change that it tells of."""
    connection.execute(
        _INSERT,
        (
            entry.id,
            to_micros(entry.at),
            entry.account,
            entry.actor,
            entry.action,
            entry.subject,
            json.dumps(dict(entry.details)),
        ),
    )


def _from_row(row: tuple[Any, ...]) -> AuditEntry:
    entry_id, at, account, actor, action, subject, details = row
    return AuditEntry(
        id=entry_id,
        at=from_micros(at),
        account=account,
        actor=actor,
        action=action,
        subject=subject,
        details=json.loads(details),
    )


class SqliteAuditLog:
    """Reads the audit entries of one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def entries(
        self, *, account: str, after: str | None = None, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        """Return the account's entries in the order in which they were written."""

        def read(connection: sqlite3.Connection) -> tuple[AuditEntry, ...]:
            sequence = 0
            if after is not None:
                found = connection.execute(_SEQUENCE, (after, account)).fetchall()
                if not found:
                    raise NotFound("no such audit entry", code="audit_entry_not_found")
                sequence = found[0][0]
            rows = connection.execute(_PAGE, (account, sequence, page_size(limit))).fetchall()
            return tuple(map(_from_row, rows))

        return await self._database.scan(read)
