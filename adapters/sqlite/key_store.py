"""Where API keys live, in SQLite."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime

from tollkeeper.adapters.sqlite.api_keys import (
    COLUMNS,
    delete_key,
    insert_key,
    keys_from_rows,
    update_key,
)
from tollkeeper.adapters.sqlite.audit_log import append_audit
from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.rows import page_size, to_micros
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import Conflict, NotFound

_VERSION = "SELECT version FROM api_keys WHERE id = ? AND account = ?"
_CREATED = "SELECT created_at FROM api_keys WHERE id = ? AND account = ?"
_MARK_USED = """
    UPDATE api_keys SET last_used_at = ?1
    WHERE id = ?2 AND (last_used_at IS NULL OR last_used_at < ?1)
"""
_ONE = f"""
    SELECT {COLUMNS}
    FROM api_keys AS k JOIN key_secrets AS s ON s.key_id = k.id
    WHERE k.id = ? ORDER BY s.position
"""  # noqa: S608 - no more than the names of columns
_FIND = f"""
    SELECT {COLUMNS}
    FROM api_keys AS k JOIN key_secrets AS s ON s.key_id = k.id
    WHERE k.id = (SELECT key_id FROM key_secrets WHERE kid = ?) ORDER BY s.position
"""  # noqa: S608 - no more than the names of columns
_LIST = f"""
    SELECT {COLUMNS}
    FROM (
        SELECT * FROM api_keys WHERE account = ? AND (created_at, id) > (?, ?)
        ORDER BY created_at, id LIMIT ?
    ) AS k JOIN key_secrets AS s ON s.key_id = k.id
    ORDER BY k.created_at, k.id, s.position
"""  # noqa: S608 - no more than the names of columns
_PAGE = f"""
    SELECT {COLUMNS}
    FROM (SELECT * FROM api_keys WHERE id > ? ORDER BY id LIMIT ?) AS k
    JOIN key_secrets AS s ON s.key_id = k.id
    ORDER BY k.id, s.position
"""  # noqa: S608 - no more than the names of columns
_BEFORE_ALL = (-(2**63), "")


def _require(connection: sqlite3.Connection, key: ApiKey, *, version: int) -> None:
    found = connection.execute(_VERSION, (key.id, key.account)).fetchall()
    if not found:
        raise NotFound("no such key", code="key_not_found")
    if found[0][0] != version:
        raise Conflict("someone changed the key first; read it again", code="key_changed")


class SqliteKeyStore:
    """Keeps API keys in one file, never their tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Keep a new key."""

        def change(connection: sqlite3.Connection) -> None:
            insert_key(connection, key)
            append_audit(connection, audit)

        await self._database.change(change)

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Put *key* in the place of its former version."""

        def change(connection: sqlite3.Connection) -> None:
            _require(connection, key, version=key.version - 1)
            update_key(connection, key)
            append_audit(connection, audit)

        await self._database.change(change)

    async def remove(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Take *key*, which must still be there in this version, away with its secrets."""

        def change(connection: sqlite3.Connection) -> None:
            _require(connection, key, version=key.version)
            delete_key(connection, key.id)
            append_audit(connection, audit)

        await self._database.change(change)

    async def get(self, *, account: str, key_id: str) -> ApiKey:
        """Return the account's key."""

        def read(connection: sqlite3.Connection) -> ApiKey:
            found = keys_from_rows(connection.execute(_ONE, (key_id,)).fetchall())
            if not found or found[0].account != account:
                raise NotFound("no such key", code="key_not_found")
            return found[0]

        return await self._database.look_up(read)

    async def find(self, kid: str) -> ApiKey | None:
        """Return the key that has the secret named *kid*, or None."""

        def read(connection: sqlite3.Connection) -> ApiKey | None:
            found = keys_from_rows(connection.execute(_FIND, (kid,)).fetchall())
            return found[0] if found else None

        return await self._database.look_up(read)

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[ApiKey, ...]:
        """Return the account's keys in order of ``(created_at, id)``."""

        def read(connection: sqlite3.Connection) -> tuple[ApiKey, ...]:
            position: tuple[int, str] = _BEFORE_ALL
            if after is not None:
                found = connection.execute(_CREATED, (after, account)).fetchall()
                if not found:
                    raise NotFound("no such key", code="key_not_found")
                position = (found[0][0], after)
            asked = (account, *position, page_size(limit))
            return keys_from_rows(connection.execute(_LIST, asked).fetchall())

        return await self._database.scan(read)

    async def page(self, *, after: str | None = None, limit: int = 100) -> tuple[ApiKey, ...]:
        """Return keys of all accounts in order of their ids."""

        def read(connection: sqlite3.Connection) -> tuple[ApiKey, ...]:
            asked = (after or "", page_size(limit))
            return keys_from_rows(connection.execute(_PAGE, asked).fetchall())

        return await self._database.scan(read)

    async def mark_used(self, uses: Mapping[str, datetime]) -> None:
        """Note when keys were last used; an earlier time than the one there is ignored."""
        rows = [(to_micros(at), key_id) for key_id, at in uses.items()]

        def change(connection: sqlite3.Connection) -> None:
            connection.executemany(_MARK_USED, rows)

        await self._database.change(change)
