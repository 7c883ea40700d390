"""Where API keys live, in PostgreSQL."""

from collections.abc import Mapping
from datetime import datetime

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.records import audit_json, document_json, read_documents
from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.key_documents import key_document, key_from_document
from tollkeeper.adapters.sql.rows import aware, page_size
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import NotFound


class PostgresKeyStore:
    """Keeps API keys in one database, never their tokens."""

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        schema = connections.schema
        self._add = f"SELECT {schema}.add_key($1, $2)"
        self._replace = f"SELECT {schema}.replace_key($1, $2)"
        self._remove = f"SELECT {schema}.remove_key($1, $2, $3, $4)"
        self._get = f"SELECT * FROM {schema}.key_by_id($1, $2)"
        self._find = f"SELECT * FROM {schema}.key_by_kid($1)"
        self._list = f"SELECT * FROM {schema}.key_page($1, $2, $3)"
        self._page = f"SELECT * FROM {schema}.all_keys($1, $2)"
        self._mark_used = f"SELECT {schema}.mark_keys_used($1, $2)"

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Keep a new key."""
        await self._change(self._add, document_json(key_document(key)), audit_json(audit))

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Put *key* in the place of its former version."""
        await self._change(self._replace, document_json(key_document(key)), audit_json(audit))

    async def remove(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Take *key* away with its secrets."""
        await self._change(self._remove, key.id, key.account, key.version, audit_json(audit))

    async def get(self, *, account: str, key_id: str) -> ApiKey:
        """Return the account's key."""
        for key in await self._keys(self._get, account, key_id):
            return key
        raise NotFound("no such key", code="key_not_found")

    async def find(self, kid: str) -> ApiKey | None:
        """Return the key that has the secret named *kid*, or None."""
        for key in await self._keys(self._find, kid):
            return key
        return None

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[ApiKey, ...]:
        """Return the account's keys in order of ``(created_at, id)``."""
        return await self._keys(self._list, account, after, page_size(limit))

    async def page(self, *, after: str | None = None, limit: int = 100) -> tuple[ApiKey, ...]:
        """Return keys of all accounts in order of their ids."""
        return await self._keys(self._page, after, page_size(limit))

    async def mark_used(self, uses: Mapping[str, datetime]) -> None:
        """Note when keys were last used; an earlier time than the one there is ignored."""
        if uses:
            await self._change(self._mark_used, [*uses], [aware(at) for at in uses.values()])

    async def _change(self, sql: str, *arguments: object) -> None:
        await settled(self._connections.fetch(sql, *arguments))

    async def _keys(self, sql: str, *arguments: object) -> tuple[ApiKey, ...]:
        return read_documents(await self._connections.fetch(sql, *arguments), key_from_document)
