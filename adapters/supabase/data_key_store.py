"""Where the data keys of accounts live, wrapped, in Supabase."""

import sys
from collections.abc import Mapping, Sequence

from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.encryption_documents import (
    data_key_document,
    data_key_from_document,
)
from tollkeeper.adapters.sql.records import audit_document
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.paging import in_pages
from tollkeeper.adapters.supabase.values import read_documents
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.encryption import DataKey
from tollkeeper.domain.errors import NotFound


class SupabaseDataKeyStore:
    """Keeps wrapped data keys in one project."""

    def __init__(self, connections: SupabaseConnections) -> None:
        self._connections = connections

    async def add(self, key: DataKey, *, audit: AuditEntry) -> None:
        """Keep a new data key."""
        await self._change("add_data_key", {"p_key": data_key_document(key)}, audit)

    async def primary_of(self, account: str) -> DataKey | None:
        """Return the data key that new values of the account are encrypted with."""
        for key in await self._keys("primary_data_key", {"p_account": account}):
            return key
        return None

    async def get(self, *, account: str, data_key_id: str) -> DataKey:
        """Return the account's data key, also if it is destroyed."""
        asked = {"p_account": account, "p_id": data_key_id}
        for key in await self._keys("data_key_by_id", asked):
            return key
        raise NotFound("no such data key", code="data_key_not_found")

    async def of_account(self, account: str) -> tuple[DataKey, ...]:
        """Return all data keys of the account in order of ``(created_at, id)``."""
        return await self._pages(
            "data_key_page", {"p_account": account}, after=None, limit=sys.maxsize
        )

    async def replace(self, key: DataKey, *, audit: AuditEntry) -> None:
        """Put *key* in the place of its former version."""
        await self._change("replace_data_key", {"p_key": data_key_document(key)}, audit)

    async def destroy(self, *, account: str, data_key_id: str, audit: AuditEntry) -> None:
        """Erase the wrapped bytes for good."""
        await self._change("destroy_data_key", {"p_account": account, "p_id": data_key_id}, audit)

    async def page(self, *, after: str | None = None, limit: int = 100) -> tuple[DataKey, ...]:
        """Return data keys of all accounts that are not destroyed, in order of their ids."""
        return await self._pages("all_data_keys", {}, after=after, limit=limit)

    async def _change(
        self, function: str, arguments: Mapping[str, object], audit: AuditEntry
    ) -> None:
        arguments = {**arguments, "p_audit": audit_document(audit)}
        await settled(self._connections.call(function, arguments, effect=Effect.CHANGES))

    async def _keys(self, function: str, arguments: Mapping[str, object]) -> Sequence[DataKey]:
        rows = await self._connections.call(function, arguments, effect=Effect.READS)
        return read_documents(rows, data_key_from_document, port=self._connections.port)

    async def _pages(
        self, function: str, arguments: Mapping[str, object], *, after: str | None, limit: int
    ) -> tuple[DataKey, ...]:
        async def ask(after: str | None, limit: int) -> Sequence[DataKey]:
            return await self._keys(function, {**arguments, "p_after": after, "p_limit": limit})

        most = self._connections.address.max_rows
        return await in_pages(ask, limit=limit, most=most, after=after, key=lambda key: key.id)
