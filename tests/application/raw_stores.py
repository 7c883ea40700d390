"""Stores of every kind, and a way to write into them past all checks.

So can who administers the database, or has found an injection somewhere else in the host.
"""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import asyncpg
from attrs import field, frozen

from tests.servers.postgres import migrated_database
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.adapters.sql.documents import bytes_text
from tollkeeper.adapters.sql.encryption_documents import credential_document, data_key_document
from tollkeeper.adapters.sql.key_documents import key_document
from tollkeeper.adapters.sqlite.api_keys import delete_key, insert_key
from tollkeeper.adapters.sqlite.rows import to_micros
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.credentials import StoredCredential
from tollkeeper.domain.encryption import DataKey

KINDS = ("memory", "sqlite", "postgres")


class RawStore(Protocol):
    """A store that a facade is opened on, and what may be done behind the facade's back."""

    @property
    def url(self) -> str:
        """Where it is."""

    @property
    def lent(self) -> Mapping[str, Any]:
        """What to lend to the facade, beside the URL in its settings."""

    async def write_keys(self, *keys: ApiKey) -> None:
        """Put *keys* in the place of those of their ids, or beside the others."""

    async def write_credential(self, credential: StoredCredential, *, former_id: str = "") -> None:
        """Put a row in the place of the one of its id, or of *former_id*."""

    async def write_data_key(self, key: DataKey) -> None:
        """Put a row in the place of the one of its id."""

    async def write_audit(self, account: str, *entries: AuditEntry) -> None:
        """Have the audit log of *account* consist of *entries*, as they are."""


@frozen
class RawMemory:
    """A store in memory."""

    store: MemoryStore = field(factory=MemoryStore)
    url: str = "memory://"

    @property
    def lent(self) -> Mapping[str, Any]:
        return {"store": self.store}

    async def write_keys(self, *keys: ApiKey) -> None:
        database = self.store.database
        for key in keys:
            for kid in [kid for kid, owner in database.key_of_kid.items() if owner == key.id]:
                del database.key_of_kid[kid]
        for key in keys:
            database.keys[key.id] = key
            database.key_of_kid.update({secret.kid: key.id for secret in key.secrets})

    async def write_credential(self, credential: StoredCredential, *, former_id: str = "") -> None:
        self.store.database.credentials.pop(former_id or credential.id)
        self.store.database.credentials[credential.id] = credential

    async def write_data_key(self, key: DataKey) -> None:
        self.store.database.data_keys[key.id] = key

    async def write_audit(self, account: str, *entries: AuditEntry) -> None:
        self.store.database.audit[account] = list(entries)


@frozen
class RawSqlite:
    """A store in a file, which is written to by another program."""

    path: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    @property
    def lent(self) -> Mapping[str, Any]:
        return {}

    async def write_keys(self, *keys: ApiKey) -> None:
        with self._opened() as connection:
            for key in keys:
                delete_key(connection, key.id)
            for key in keys:
                insert_key(connection, key)

    async def write_credential(self, credential: StoredCredential, *, former_id: str = "") -> None:
        row = _without_text(credential_document(credential), sealed=credential.sealed)
        row["created_at"] = to_micros(credential.created_at)
        self._replace("credentials", former_id or credential.id, row)

    async def write_data_key(self, key: DataKey) -> None:
        row = _without_text(data_key_document(key), commitment=key.commitment)
        del row["wrapped"]
        row |= {"ciphertext": key.wrapped.ciphertext, "created_at": to_micros(key.created_at)}
        self._replace("data_keys", key.id, row)

    async def write_audit(self, account: str, *entries: AuditEntry) -> None:
        with self._opened() as connection:
            connection.execute("DELETE FROM audit_entries WHERE account = ?", (account,))
            for entry in entries:
                row = _audit_row(entry)
                row |= {"at": to_micros(entry.at), "mac": entry.mac, "number": row.pop("sequence")}
                _insert(connection, "audit_entries", row)

    def _replace(self, table: str, row_id: str, row: Mapping[str, Any]) -> None:
        with self._opened() as connection:
            connection.execute(f"DELETE FROM {table} WHERE id = ?", (row_id,))
            _insert(connection, table, row)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            triggers = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
            texts = connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'trigger'")
            names, again = triggers.fetchall(), texts.fetchall()
            for (name,) in names:
                connection.execute(f"DROP TRIGGER {name}")
            yield connection
            for (text,) in again:
                connection.execute(text)


@frozen
class RawPostgres:
    """A store in a database, which its superuser writes to."""

    url: str

    @property
    def lent(self) -> Mapping[str, Any]:
        return {}

    async def write_keys(self, *keys: ApiKey) -> None:
        async with self._opened() as connection:
            for key in keys:
                await connection.execute("DELETE FROM key_secrets WHERE key_id = $1", key.id)
                await connection.execute("DELETE FROM api_keys WHERE id = $1", key.id)
            for key in keys:
                document = key_document(key)
                await _insert_document(connection, "api_keys", document)
                secrets = json.dumps(document["secrets"])
                await connection.execute("SELECT put_secrets($1, $2)", key.id, secrets)

    async def write_credential(self, credential: StoredCredential, *, former_id: str = "") -> None:
        row = credential_document(credential)
        await self._replace("credentials", "id", former_id or credential.id, row)

    async def write_data_key(self, key: DataKey) -> None:
        await self._replace("data_keys", "id", key.id, data_key_document(key))

    async def write_audit(self, account: str, *entries: AuditEntry) -> None:
        rows = [_audit_row(entry) | {"details": dict(entry.details)} for entry in entries]
        await self._replace("audit_entries", "account", account, *rows)

    async def _replace(
        self, table: str, column: str, value: str, *rows: Mapping[str, object]
    ) -> None:
        async with self._opened() as connection:
            await connection.execute(f"DELETE FROM {table} WHERE {column} = $1", value)
            for row in rows:
                await _insert_document(connection, table, row)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            async with connection.transaction():
                # No trigger and no foreign key holds up a superuser.
                await connection.execute(
                    "SET session_replication_role = replica; SET search_path = tollkeeper"
                )
                yield connection
        finally:
            await connection.close()


@contextmanager
def raw_store(kind: str, folder: Path) -> Iterator[RawStore]:
    """Make a store of that *kind*, with nothing in it."""
    if kind == "memory":
        yield RawMemory()
    elif kind == "sqlite":
        yield RawSqlite(folder / "tollkeeper.db")
    else:
        with migrated_database() as url:
            yield RawPostgres(url)


def _audit_row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "account": entry.account,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "details": json.dumps(dict(entry.details)),
        "sequence": entry.sequence,
        "mac": bytes_text(entry.mac),
        "mac_key": entry.mac_key,
    }


def _without_text(document: Mapping[str, object], **raw: bytes) -> dict[str, Any]:
    """Put bytes in the place of the text that stands for them in a document."""
    return {**document, **raw}


def _insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    marks = ", ".join("?" * len(row))
    names = ", ".join(row)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))


async def _insert_document(connection: Any, table: str, document: Mapping[str, object]) -> None:
    await connection.execute(
        f"INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, $1)",
        json.dumps(document),
    )


async def until(ready: Callable[[], Awaitable[bool]], *, within: float = 5.0) -> None:
    """Wait until *ready*, an asynchronous question, is answered with yes."""
    async with asyncio.timeout(within):
        while not await ready():
            await asyncio.sleep(0.01)
