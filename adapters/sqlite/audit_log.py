"""Who changed what, in SQLite."""

import json
import sqlite3
from typing import Any

from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.rows import from_micros, page_size, to_micros
from tollkeeper.domain.audit import AuditEntry, AuditHead
from tollkeeper.domain.errors import Conflict, NotFound

_INSERT = """
    INSERT INTO audit_entries (id, at, account, actor, action, subject, details, number, mac,
        mac_key)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_NUMBER = "SELECT number FROM audit_entries WHERE id = ? AND account = ?"
_HEAD = """
    SELECT number, mac FROM audit_entries WHERE account = ? ORDER BY number DESC LIMIT 1
"""
_PAGE = """
    SELECT id, at, account, actor, action, subject, details, number, mac, mac_key
    FROM audit_entries WHERE account = ? AND number > ? ORDER BY number LIMIT ?
"""
# From account to account by the index: an account with many entries costs no more than one with
# few.
_ACCOUNTS = """
    WITH RECURSIVE found (account) AS (
        SELECT min(account) FROM audit_entries WHERE account > ?
        UNION ALL
        SELECT (SELECT min(account) FROM audit_entries WHERE account > found.account)
        FROM found WHERE account IS NOT NULL
    )
    SELECT account FROM found WHERE account IS NOT NULL LIMIT ?
"""


def append_audit(connection: sqlite3.Connection, entry: AuditEntry) -> None:
    """Write *entry* in the transaction of the change that it tells of.

    Raises:
        Conflict: *entry* has a sequence, and it is not the account's next.
    """
    due = _head(connection, entry.account).sequence + 1
    if entry.sequence not in (None, due):
        raise Conflict("another audit entry came first; try again", code="audit_moved")
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
            due,
            entry.mac,
            entry.mac_key,
        ),
    )


def _head(connection: sqlite3.Connection, account: str) -> AuditHead:
    found = connection.execute(_HEAD, (account,)).fetchall()
    return AuditHead(*found[0]) if found else AuditHead()


def _from_row(row: tuple[Any, ...]) -> AuditEntry:
    entry_id, at, account, actor, action, subject, details, number, mac, mac_key = row
    return AuditEntry(
        id=entry_id,
        at=from_micros(at),
        account=account,
        actor=actor,
        action=action,
        subject=subject,
        details=json.loads(details),
        sequence=number,
        mac=mac,
        mac_key=mac_key,
    )


class SqliteAuditLog:
    """Reads the audit entries of one file, and appends to them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def entries(
        self, *, account: str, after: str | None = None, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        """Return the account's entries in the order in which they were written."""

        def read(connection: sqlite3.Connection) -> tuple[AuditEntry, ...]:
            number = 0
            if after is not None:
                found = connection.execute(_NUMBER, (after, account)).fetchall()
                if not found:
                    raise NotFound("no such audit entry", code="audit_entry_not_found")
                number = found[0][0]
            rows = connection.execute(_PAGE, (account, number, page_size(limit))).fetchall()
            return tuple(map(_from_row, rows))

        return await self._database.scan(read)

    async def head(self, account: str) -> AuditHead:
        """Return the number and the MAC of the account's last entry."""
        return await self._database.look_up(lambda connection: _head(connection, account))

    async def append(self, entry: AuditEntry) -> None:
        """Write an entry that tells of no change in the store."""
        await self._database.change(lambda connection: append_audit(connection, entry))

    async def accounts(self, *, after: str | None = None, limit: int = 100) -> tuple[str, ...]:
        """Return the accounts that have entries, in order."""

        def read(connection: sqlite3.Connection) -> tuple[str, ...]:
            rows = connection.execute(_ACCOUNTS, (after or "", page_size(limit))).fetchall()
            return tuple(account for (account,) in rows)

        return await self._database.scan(read)
