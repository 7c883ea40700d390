"""Where the data keys of accounts live, wrapped, in SQLite."""

import sqlite3
from typing import Any

from tollkeeper.adapters.sqlite.audit_log import append_audit
from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.rows import from_micros, page_size, to_micros
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.encryption import DataKey, DataKeyState, WrappedKey, destroyed
from tollkeeper.domain.errors import Conflict, NotFound

_COLUMNS = "id, account, algorithm, kek_id, ciphertext, commitment, state, created_at, version"
_TAKEN = "SELECT 1 FROM data_keys WHERE id = ?"
_INSERT = """
    INSERT INTO data_keys (account, algorithm, kek_id, ciphertext, commitment, state, created_at,
        version, id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE = """
    UPDATE data_keys SET account = ?, algorithm = ?, kek_id = ?, ciphertext = ?, commitment = ?,
        state = ?, created_at = ?, version = ?
    WHERE id = ?
"""
_ONE = f"SELECT {_COLUMNS} FROM data_keys WHERE id = ? AND account = ?"  # noqa: S608 - the names above
_PRIMARY = f"SELECT {_COLUMNS} FROM data_keys WHERE account = ? AND state = 'primary'"  # noqa: S608 - the names above
_OF_ACCOUNT = f"SELECT {_COLUMNS} FROM data_keys WHERE account = ? ORDER BY created_at, id"  # noqa: S608 - the names above
_PAGE = f"""
    SELECT {_COLUMNS} FROM data_keys WHERE id > ? AND state <> 'destroyed' ORDER BY id LIMIT ?
"""  # noqa: S608 - no more than the names above
_IN_USE = "SELECT 1 FROM credentials WHERE data_key_id = ? LIMIT 1"


def live_data_key(connection: sqlite3.Connection, *, account: str, data_key_id: str) -> DataKey:
    """Return the account's data key, in the transaction of what will be encrypted with it.

    Raises:
        Conflict: it is not there, or destroyed.
    """
    found = _read(connection, _ONE, data_key_id, account)
    if not found or found[0].state is DataKeyState.DESTROYED:
        raise destroyed()
    return found[0]


def destroy_all(connection: sqlite3.Connection, account: str) -> None:
    """Destroy each data key of the account, which nothing may need any more."""
    for key in _read(connection, _OF_ACCOUNT, account):
        if key.state is not DataKeyState.DESTROYED:
            _update(connection, key.destroy())


class SqliteDataKeyStore:
    """Keeps data keys, each wrapped by a key-encryption key, in one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: DataKey, *, audit: AuditEntry) -> None:
        """Keep a new data key; if it is primary, the former primary becomes readable."""

        def change(connection: sqlite3.Connection) -> None:
            if connection.execute(_TAKEN, (key.id,)).fetchall():
                raise Conflict("the data key's id is taken", code="data_key_taken")
            if key.state is DataKeyState.PRIMARY:
                for former in _read(connection, _PRIMARY, key.account):
                    _update(connection, former.retire())
            connection.execute(_INSERT, _to_row(key))
            append_audit(connection, audit)

        await self._database.change(change)

    async def primary_of(self, account: str) -> DataKey | None:
        """Return the data key that new values of the account are encrypted with."""
        found = await self._database.look_up(lambda c: _read(c, _PRIMARY, account))
        return found[0] if found else None

    async def get(self, *, account: str, data_key_id: str) -> DataKey:
        """Return the account's data key."""
        return await self._database.look_up(lambda c: _one(c, account, data_key_id))

    async def of_account(self, account: str) -> tuple[DataKey, ...]:
        """Return all data keys of the account in order of ``(created_at, id)``."""
        return await self._database.scan(lambda c: _read(c, _OF_ACCOUNT, account))

    async def replace(self, key: DataKey, *, audit: AuditEntry) -> None:
        """Put *key* in the place of its former version."""

        def change(connection: sqlite3.Connection) -> None:
            former = _one(connection, key.account, key.id)
            if former.version != key.version - 1:
                raise Conflict(
                    "someone changed the data key first; read it again", code="data_key_changed"
                )
            if former.state is DataKeyState.DESTROYED:
                raise destroyed()
            primary = _read(connection, _PRIMARY, key.account)
            if key.state is DataKeyState.PRIMARY and primary not in ((), (former,)):
                raise Conflict("the account has another primary data key", code="data_key_changed")
            if key.state is DataKeyState.DESTROYED:
                _require_unused(connection, key.id)
            _update(connection, key)
            append_audit(connection, audit)

        await self._database.change(change)

    async def destroy(self, *, account: str, data_key_id: str, audit: AuditEntry) -> None:
        """Erase the wrapped bytes for good; twice is once."""

        def change(connection: sqlite3.Connection) -> None:
            key = _one(connection, account, data_key_id)
            if key.state is DataKeyState.DESTROYED:
                return
            _require_unused(connection, key.id)
            _update(connection, key.destroy())
            append_audit(connection, audit)

        await self._database.change(change)

    async def page(self, *, after: str | None = None, limit: int = 100) -> tuple[DataKey, ...]:
        """Return data keys of all accounts that are not destroyed, in order of their ids."""
        asked = (after or "", page_size(limit))
        return await self._database.scan(lambda c: _read(c, _PAGE, *asked))


def _one(connection: sqlite3.Connection, account: str, data_key_id: str) -> DataKey:
    found = _read(connection, _ONE, data_key_id, account)
    if not found:
        raise NotFound("no such data key", code="data_key_not_found")
    return found[0]


def _require_unused(connection: sqlite3.Connection, data_key_id: str) -> None:
    if connection.execute(_IN_USE, (data_key_id,)).fetchall():
        raise Conflict(
            "values are still encrypted with the data key; encrypt them anew first",
            code="data_key_in_use",
        )


def _read(connection: sqlite3.Connection, query: str, *asked: object) -> tuple[DataKey, ...]:
    return tuple(map(_from_row, connection.execute(query, asked).fetchall()))


def _update(connection: sqlite3.Connection, key: DataKey) -> None:
    connection.execute(_UPDATE, _to_row(key))


def _from_row(row: tuple[Any, ...]) -> DataKey:
    key_id, account, algorithm, kek_id, ciphertext, commitment, state, created_at, version = row
    return DataKey(
        id=key_id,
        account=account,
        algorithm=algorithm,
        wrapped=WrappedKey(kek_id, ciphertext),
        commitment=commitment,
        state=state,
        created_at=from_micros(created_at),
        version=version,
    )


def _to_row(key: DataKey) -> tuple[Any, ...]:
    return (
        key.account,
        key.algorithm,
        key.wrapped.kek_id,
        key.wrapped.ciphertext,
        key.commitment,
        key.state.value,
        to_micros(key.created_at),
        key.version,
        key.id,
    )
