"""Where API keys live, in PostgreSQL."""

from collections.abc import Mapping
from datetime import datetime

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.records import (
    audit_json,
    aware_or_none,
    key_arguments,
    key_from_row,
    secret_arguments,
)
from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.rows import aware, page_size
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import NotFound


class PostgresKeyStore:
    """Keeps API keys in one database, never their tokens."""

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        schema = connections.schema
        self._add = (
            f"SELECT {schema}.add_key($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
            "$14, $15, $16)"
        )
        self._replace = (
            f"SELECT {schema}.replace_key($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
            "$13, $14, $15)"
        )
        self._get = f"SELECT * FROM {schema}.key_by_id($1, $2)"
        self._find = f"SELECT * FROM {schema}.key_by_kid($1)"
        self._page = f"SELECT * FROM {schema}.key_page($1, $2, $3)"
        self._mark_used = f"SELECT {schema}.mark_keys_used($1, $2)"

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Keep a new key."""
        await settled(
            self._connections.fetch(
                self._add,
                *key_arguments(key),
                aware_or_none(key.last_used_at),
                *secret_arguments(key),
                audit_json(audit),
            )
        )

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Put *key* in the place of its former version."""
        await settled(
            self._connections.fetch(
                self._replace, *key_arguments(key), *secret_arguments(key), audit_json(audit)
            )
        )

    async def get(self, *, account: str, key_id: str) -> ApiKey:
        """Return the account's key."""
        for row in await self._connections.fetch(self._get, account, key_id):
            return key_from_row(row)
        raise NotFound("no such key", code="key_not_found")

    async def find(self, kid: str) -> ApiKey | None:
        """Return the key that has the secret named *kid*, or None."""
        for row in await self._connections.fetch(self._find, kid):
            return key_from_row(row)
        return None

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[ApiKey, ...]:
        """Return the account's keys in order of ``(created_at, id)``."""
        rows = await self._connections.fetch(self._page, account, after, page_size(limit))
        return tuple(key_from_row(row) for row in rows)

    async def mark_used(self, uses: Mapping[str, datetime]) -> None:
        """Note when keys were last used; an earlier time than the one there is ignored."""
        if uses:
            times = [aware(at) for at in uses.values()]
            await settled(self._connections.fetch(self._mark_used, [*uses], times))
