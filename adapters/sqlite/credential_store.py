"""Where the credentials live that accounts bring for providers, encrypted, in SQLite."""

import sqlite3
from typing import Any

from tollkeeper.adapters.sqlite.audit_log import append_audit
from tollkeeper.adapters.sqlite.data_key_store import destroy_all, live_data_key
from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.rows import FROM_THE_START, from_micros, page_size, to_micros
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.credentials import StoredCredential
from tollkeeper.domain.errors import Conflict, NotFound

_COLUMNS = "id, account, provider, base_url, label, sealed, data_key_id, created_at, version"
_INSERT = """
    INSERT INTO credentials (account, provider, base_url, label, sealed, data_key_id, created_at,
        version, id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE = """
    UPDATE credentials SET account = ?, provider = ?, base_url = ?, label = ?, sealed = ?,
        data_key_id = ?, created_at = ?, version = ?
    WHERE id = ?
"""
_DELETE = "DELETE FROM credentials WHERE id = ?"
_DELETE_ALL = "DELETE FROM credentials WHERE account = ?"
_TAKEN = "SELECT 1 FROM credentials WHERE id = ?"
_NAMESAKE = """
    SELECT 1 FROM credentials WHERE account = ? AND provider = ? AND label = ? AND id <> ?
"""
_ONE = f"SELECT {_COLUMNS} FROM credentials WHERE id = ? AND account = ?"  # noqa: S608 - the names above
_LIST = f"""
    SELECT {_COLUMNS} FROM credentials WHERE account = ? AND (created_at, id) > (?, ?)
    ORDER BY created_at, id LIMIT ?
"""  # noqa: S608 - no more than the names above
_ENCRYPTED_WITH = f"""
    SELECT {_COLUMNS} FROM credentials WHERE data_key_id = ? AND id > ? ORDER BY id LIMIT ?
"""  # noqa: S608 - no more than the names above


class SqliteCredentialStore:
    """Keeps accounts' provider credentials in one file, as they were encrypted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        """Keep a new credential."""

        def change(connection: sqlite3.Connection) -> None:
            _require_place(connection, credential)
            if connection.execute(_TAKEN, (credential.id,)).fetchall():
                raise Conflict(
                    "the credential's id is taken; make a new one", code="credential_exists"
                )
            connection.execute(_INSERT, _to_row(credential))
            append_audit(connection, audit)

        await self._database.change(change)

    async def get(self, *, account: str, credential_id: str) -> StoredCredential:
        """Return the account's credential."""
        return await self._database.look_up(lambda c: _one(c, account, credential_id))

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[StoredCredential, ...]:
        """Return the account's credentials in order of ``(created_at, id)``."""

        def read(connection: sqlite3.Connection) -> tuple[StoredCredential, ...]:
            position = (FROM_THE_START, "")
            if after is not None:
                position = (to_micros(_one(connection, account, after).created_at), after)
            return _read(connection, _LIST, account, *position, page_size(limit))

        return await self._database.scan(read)

    async def replace(self, credential: StoredCredential, *, audit: AuditEntry | None) -> None:
        """Put *credential* in the place of its former version."""

        def change(connection: sqlite3.Connection) -> None:
            _require(connection, credential, version=credential.version - 1)
            _require_place(connection, credential)
            connection.execute(_UPDATE, _to_row(credential))
            if audit is not None:
                append_audit(connection, audit)

        await self._database.change(change)

    async def remove(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        """Take *credential*, which must still be there in this version, away."""

        def change(connection: sqlite3.Connection) -> None:
            _require(connection, credential, version=credential.version)
            connection.execute(_DELETE, (credential.id,))
            append_audit(connection, audit)

        await self._database.change(change)

    async def encrypted_with(
        self, data_key_id: str, *, after: str | None = None, limit: int = 100
    ) -> tuple[StoredCredential, ...]:
        """Return the credentials under that data key, in order of their ids."""
        asked = (data_key_id, after or "", page_size(limit))
        return await self._database.scan(lambda c: _read(c, _ENCRYPTED_WITH, *asked))

    async def forget(self, account: str, *, audit: AuditEntry) -> int:
        """Take all credentials of the account away, and destroy all of its data keys."""

        def change(connection: sqlite3.Connection) -> int:
            gone = connection.execute(_DELETE_ALL, (account,)).rowcount
            destroy_all(connection, account)
            append_audit(connection, audit)
            return gone

        return await self._database.change(change)


def _one(connection: sqlite3.Connection, account: str, credential_id: str) -> StoredCredential:
    found = _read(connection, _ONE, credential_id, account)
    if not found:
        raise NotFound("no such credential", code="credential_not_found")
    return found[0]


def _require(connection: sqlite3.Connection, credential: StoredCredential, *, version: int) -> None:
    if _one(connection, credential.account, credential.id).version != version:
        raise Conflict(
            "someone changed the credential first; read it again", code="credential_changed"
        )


def _require_place(connection: sqlite3.Connection, credential: StoredCredential) -> None:
    """Check that the credential's data key is alive, and its label free."""
    live_data_key(connection, account=credential.account, data_key_id=credential.data_key_id)
    asked = (credential.account, credential.provider, credential.label, credential.id)
    if connection.execute(_NAMESAKE, asked).fetchall():
        raise Conflict(
            "the account has a credential of that provider and label; replace it, or choose "
            "another label",
            code="credential_exists",
        )


def _read(
    connection: sqlite3.Connection, query: str, *asked: object
) -> tuple[StoredCredential, ...]:
    return tuple(map(_from_row, connection.execute(query, asked).fetchall()))


def _from_row(row: tuple[Any, ...]) -> StoredCredential:
    credential_id, account, provider, base_url, label, sealed, data_key, created_at, version = row
    return StoredCredential(
        id=credential_id,
        account=account,
        provider=provider,
        base_url=base_url,
        label=label,
        sealed=sealed,
        data_key_id=data_key,
        created_at=from_micros(created_at),
        version=version,
    )


def _to_row(credential: StoredCredential) -> tuple[Any, ...]:
    return (
        credential.account,
        credential.provider,
        credential.base_url,
        credential.label,
        credential.sealed,
        credential.data_key_id,
        to_micros(credential.created_at),
        credential.version,
        credential.id,
    )
