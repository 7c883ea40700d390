"""Where API keys live, in SQLite."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

from tollkeeper.adapters.sqlite.audit_log import append_audit
from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.rows import (
    from_micros,
    from_micros_or_none,
    page_size,
    to_micros,
    to_micros_or_none,
)
from tollkeeper.domain.api_keys import ApiKey, KeySecret
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import Conflict, NotFound

_INSERT = """
    INSERT INTO api_keys (account, name, scopes, prefix, created_at, expires_at, revoked_at,
        version, id, last_used_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE = """
    UPDATE api_keys SET account = ?, name = ?, scopes = ?, prefix = ?, created_at = ?,
        expires_at = ?, revoked_at = ?, version = ?
    WHERE id = ?
"""
_VERSION = "SELECT version FROM api_keys WHERE id = ? AND account = ?"
_CREATED = "SELECT created_at FROM api_keys WHERE id = ? AND account = ?"
_INSERT_VERIFIER = """
    INSERT INTO key_secrets (key_id, position, kid, verifier, pepper_id, not_before, not_after)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_DELETE_VERIFIERS = "DELETE FROM key_secrets WHERE key_id = ?"
_MARK_USED = """
    UPDATE api_keys SET last_used_at = ?1
    WHERE id = ?2 AND (last_used_at IS NULL OR last_used_at < ?1)
"""
_ONE = """
    SELECT k.id, k.account, k.name, k.scopes, k.prefix, k.created_at, k.expires_at, k.revoked_at,
        k.last_used_at, k.version, s.kid, s.verifier, s.pepper_id, s.not_before, s.not_after
    FROM api_keys AS k JOIN key_secrets AS s ON s.key_id = k.id
    WHERE k.id = ? ORDER BY s.position
"""
_FIND = """
    SELECT k.id, k.account, k.name, k.scopes, k.prefix, k.created_at, k.expires_at, k.revoked_at,
        k.last_used_at, k.version, s.kid, s.verifier, s.pepper_id, s.not_before, s.not_after
    FROM api_keys AS k JOIN key_secrets AS s ON s.key_id = k.id
    WHERE k.id = (SELECT key_id FROM key_secrets WHERE kid = ?) ORDER BY s.position
"""
_PAGE = """
    SELECT k.id, k.account, k.name, k.scopes, k.prefix, k.created_at, k.expires_at, k.revoked_at,
        k.last_used_at, k.version, s.kid, s.verifier, s.pepper_id, s.not_before, s.not_after
    FROM (
        SELECT * FROM api_keys WHERE account = ? AND (created_at, id) > (?, ?)
        ORDER BY created_at, id LIMIT ?
    ) AS k JOIN key_secrets AS s ON s.key_id = k.id
    ORDER BY k.created_at, k.id, s.position
"""
_BEFORE_ALL = (-(2**63), "")


def _from_rows(rows: list[tuple[Any, ...]]) -> tuple[ApiKey, ...]:
    return tuple(_from_group(list(group)) for _, group in groupby(rows, key=lambda row: row[0]))


def _from_group(rows: list[tuple[Any, ...]]) -> ApiKey:
    key_id, account, name, scopes, prefix, created, expires, revoked, used, version, *_ = rows[0]
    return ApiKey(
        id=key_id,
        account=account,
        name=name,
        scopes=frozenset(json.loads(scopes)),
        prefix=prefix,
        secrets=tuple(
            KeySecret(kid, verifier, pepper, from_micros(start), from_micros_or_none(end))
            for kid, verifier, pepper, start, end in (row[10:] for row in rows)
        ),
        created_at=from_micros(created),
        expires_at=from_micros_or_none(expires),
        revoked_at=from_micros_or_none(revoked),
        last_used_at=from_micros_or_none(used),
        version=version,
    )


def _to_row(key: ApiKey) -> tuple[Any, ...]:
    return (
        key.account,
        key.name,
        json.dumps(sorted(key.scopes)),
        key.prefix,
        to_micros(key.created_at),
        to_micros_or_none(key.expires_at),
        to_micros_or_none(key.revoked_at),
        key.version,
        key.id,
    )


def _insert_secrets(connection: sqlite3.Connection, key: ApiKey) -> None:
    connection.executemany(
        _INSERT_VERIFIER,
        [
            (
                key.id,
                position,
                secret.kid,
                secret.verifier,
                secret.pepper_id,
                to_micros(secret.not_before),
                to_micros_or_none(secret.not_after),
            )
            for position, secret in enumerate(key.secrets)
        ],
    )


class SqliteKeyStore:
    """Keeps API keys in one file, never their tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Keep a new key."""

        def change(connection: sqlite3.Connection) -> None:
            connection.execute(_INSERT, (*_to_row(key), to_micros_or_none(key.last_used_at)))
            _insert_secrets(connection, key)
            append_audit(connection, audit)

        await self._database.change(change)

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Put *key* in the place of its former version."""

        def change(connection: sqlite3.Connection) -> None:
            found = connection.execute(_VERSION, (key.id, key.account)).fetchall()
            if not found:
                raise NotFound("no such key", code="key_not_found")
            if found[0][0] != key.version - 1:
                raise Conflict("someone changed the key first; read it again", code="key_changed")
            connection.execute(_UPDATE, _to_row(key))
            connection.execute(_DELETE_VERIFIERS, (key.id,))
            _insert_secrets(connection, key)
            append_audit(connection, audit)

        await self._database.change(change)

    async def get(self, *, account: str, key_id: str) -> ApiKey:
        """Return the account's key."""

        def read(connection: sqlite3.Connection) -> ApiKey:
            found = _from_rows(connection.execute(_ONE, (key_id,)).fetchall())
            if not found or found[0].account != account:
                raise NotFound("no such key", code="key_not_found")
            return found[0]

        return await self._database.look_up(read)

    async def find(self, kid: str) -> ApiKey | None:
        """Return the key that has the secret named *kid*, or None."""

        def read(connection: sqlite3.Connection) -> ApiKey | None:
            found = _from_rows(connection.execute(_FIND, (kid,)).fetchall())
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
            return _from_rows(connection.execute(_PAGE, asked).fetchall())

        return await self._database.scan(read)

    async def mark_used(self, uses: Mapping[str, datetime]) -> None:
        """Note when keys were last used; an earlier time than the one there is ignored."""
        rows = [(to_micros(at), key_id) for key_id, at in uses.items()]

        def change(connection: sqlite3.Connection) -> None:
            connection.executemany(_MARK_USED, rows)

        await self._database.change(change)
