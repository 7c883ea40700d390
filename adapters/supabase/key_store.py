"""Where API keys live, in Supabase."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.records import audit_document, key_from_row
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.paging import in_pages
from tollkeeper.adapters.supabase.values import bytes_text, read_rows, time_or_none, time_text
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import NotFound


class SupabaseKeyStore:
    """Keeps API keys in one project, never their tokens."""

    def __init__(self, connections: SupabaseConnections) -> None:
        self._connections = connections

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Keep a new key."""
        arguments = {
            **_arguments(key, audit),
            "p_last_used_at": time_or_none(key.last_used_at),
        }
        await settled(self._connections.call("add_key", arguments, effect=Effect.CHANGES))

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Put *key* in the place of its former version."""
        arguments = _arguments(key, audit)
        await settled(self._connections.call("replace_key", arguments, effect=Effect.CHANGES))

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

        most = self._connections.address.max_rows
        return await in_pages(ask, limit=limit, most=most, after=after, key=lambda key: key.id)

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

    async def _keys(self, function: str, arguments: Mapping[str, object]) -> Sequence[ApiKey]:
        rows = await self._connections.call(function, arguments, effect=Effect.READS)
        return read_rows(rows, key_from_row, port=self._connections.port)


def _arguments(key: ApiKey, audit: AuditEntry) -> dict[str, object]:
    return {
        "p_id": key.id,
        "p_account": key.account,
        "p_name": key.name,
        "p_scopes": sorted(key.scopes),
        "p_prefix": key.prefix,
        "p_created_at": time_text(key.created_at),
        "p_expires_at": time_or_none(key.expires_at),
        "p_revoked_at": time_or_none(key.revoked_at),
        "p_version": key.version,
        "p_kids": [secret.kid for secret in key.secrets],
        "p_verifiers": [bytes_text(secret.verifier) for secret in key.secrets],
        "p_pepper_ids": [secret.pepper_id for secret in key.secrets],
        "p_not_before": [time_text(secret.not_before) for secret in key.secrets],
        "p_not_after": [time_or_none(secret.not_after) for secret in key.secrets],
        "p_audit": audit_document(audit),
    }
