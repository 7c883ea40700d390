"""Where the data keys of accounts live, wrapped, in PostgreSQL."""

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.records import audit_json, document_json, read_documents
from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.encryption_documents import (
    data_key_document,
    data_key_from_document,
)
from tollkeeper.adapters.sql.rows import page_size
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.encryption import DataKey
from tollkeeper.domain.errors import NotFound


class PostgresDataKeyStore:
    """Keeps wrapped data keys in one database."""

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        schema = connections.schema
        self._add = f"SELECT {schema}.add_data_key($1, $2)"
        self._replace = f"SELECT {schema}.replace_data_key($1, $2)"
        self._destroy = f"SELECT {schema}.destroy_data_key($1, $2, $3)"
        self._primary = f"SELECT * FROM {schema}.primary_data_key($1)"
        self._get = f"SELECT * FROM {schema}.data_key_by_id($1, $2)"
        self._of_account = f"SELECT * FROM {schema}.data_key_page($1, NULL, NULL)"
        self._page = f"SELECT * FROM {schema}.all_data_keys($1, $2)"

    async def add(self, key: DataKey, *, audit: AuditEntry) -> None:
        """Keep a new data key."""
        await self._change(self._add, document_json(data_key_document(key)), audit_json(audit))

    async def primary_of(self, account: str) -> DataKey | None:
        """Return the data key that new values of the account are encrypted with."""
        for key in await self._keys(self._primary, account):
            return key
        return None

    async def get(self, *, account: str, data_key_id: str) -> DataKey:
        """Return the account's data key, also if it is destroyed."""
        for key in await self._keys(self._get, account, data_key_id):
            return key
        raise NotFound("no such data key", code="data_key_not_found")

    async def of_account(self, account: str) -> tuple[DataKey, ...]:
        """Return all data keys of the account in order of ``(created_at, id)``."""
        return await self._keys(self._of_account, account)

    async def replace(self, key: DataKey, *, audit: AuditEntry) -> None:
        """Put *key* in the place of its former version."""
        await self._change(self._replace, document_json(data_key_document(key)), audit_json(audit))

    async def destroy(self, *, account: str, data_key_id: str, audit: AuditEntry) -> None:
        """Erase the wrapped bytes for good."""
        await self._change(self._destroy, account, data_key_id, audit_json(audit))

    async def page(self, *, after: str | None = None, limit: int = 100) -> tuple[DataKey, ...]:
        """Return data keys of all accounts that are not destroyed, in order of their ids."""
        return await self._keys(self._page, after, page_size(limit))

    async def _change(self, sql: str, *arguments: object) -> None:
        await settled(self._connections.fetch(sql, *arguments))

    async def _keys(self, sql: str, *arguments: object) -> tuple[DataKey, ...]:
        rows = await self._connections.fetch(sql, *arguments)
        return read_documents(rows, data_key_from_document)
