"""Where API keys live, in Supabase."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.documents import time_text
from tollkeeper.adapters.sql.key_documents import key_document, key_from_document
from tollkeeper.adapters.sql.records import audit_document
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.paging import in_pages
from tollkeeper.adapters.supabase.values import read_documents
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import NotFound


class SupabaseKeyStore:
    """Keeps API keys in one project, never their tokens."""

    def __init__(self, connections: SupabaseConnections) -> None:
        self._connections = connections
        self._most = connections.address.max_rows

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Keep a new key."""
        await self._change("add_key", {"p_key": key_document(key)}, audit)

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Put *key* in the place of its former version."""
        await self._change("replace_key", {"p_key": key_document(key)}, audit)

    async def remove(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Take *key* away with its secrets."""
        which = {"p_id": key.id, "p_account": key.account, "p_version": key.version}
        await self._change("remove_key", which, audit)

    async def get(self, *, account: str, key_id: str) -> ApiKey:
        """Return the account's key."""
        for key in await self._keys("key_by_id", {"p_account": account, "p_id": key_id}):
            return key
        raise NotFound("no such key", code="key_not_found")

    async def find(self, kid: str) -> ApiKey | None:
        """Return the key that has the secret named *kid*, or None."""
        for key in await self._keys("key_by_kid", {"p_kid": kid}):
            return key
        return None

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[ApiKey, ...]:
        """Return the account's keys in order of ``(created_at, id)``."""

        async def ask(after: str | None, limit: int) -> Sequence[ApiKey]:
            return await self._keys(
                "key_page", {"p_account": account, "p_after": after, "p_limit": limit}
            )

        return await in_pages(
            ask, limit=limit, most=self._most, after=after, key=lambda key: key.id
        )

    async def page(self, *, after: str | None = None, limit: int = 100) -> tuple[ApiKey, ...]:
        """Return keys of all accounts in order of their ids."""

        async def ask(after: str | None, limit: int) -> Sequence[ApiKey]:
            return await self._keys("all_keys", {"p_after": after, "p_limit": limit})

        return await in_pages(
            ask, limit=limit, most=self._most, after=after, key=lambda key: key.id
        )

    async def mark_used(self, uses: Mapping[str, datetime]) -> None:
        """Note when keys were last used; an earlier time than the one there is ignored."""
        if uses:
            arguments = {
                "p_ids": [*uses],
                "p_used_at": [time_text(at) for at in uses.values()],
            }
            await settled(
                self._connections.call("mark_keys_used", arguments, effect=Effect.REPEATS)
            )

    async def _change(
        self, function: str, arguments: Mapping[str, object], audit: AuditEntry
    ) -> None:
        arguments = {**arguments, "p_audit": audit_document(audit)}
        await settled(self._connections.call(function, arguments, effect=Effect.CHANGES))

    async def _keys(self, function: str, arguments: Mapping[str, object]) -> Sequence[ApiKey]:
        rows = await self._connections.call(function, arguments, effect=Effect.READS)
        return read_documents(rows, key_from_document, port=self._connections.port)
