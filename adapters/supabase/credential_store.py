"""Where the credentials live that accounts bring for providers, in Supabase."""

from collections.abc import Mapping, Sequence

from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.encryption_documents import (
    credential_document,
    credential_from_document,
)
from tollkeeper.adapters.sql.records import audit_document
from tollkeeper.adapters.supabase.answers import Row
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.failures import corrupt
from tollkeeper.adapters.supabase.paging import in_pages
from tollkeeper.adapters.supabase.values import read_documents
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.credentials import StoredCredential
from tollkeeper.domain.errors import NotFound


class SupabaseCredentialStore:
    """Keeps encrypted credentials in one project."""

    def __init__(self, connections: SupabaseConnections) -> None:
        self._connections = connections

    async def add(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        """Keep a new credential."""
        document = {"p_credential": credential_document(credential)}
        await self._change("add_credential", document, audit)

    async def get(self, *, account: str, credential_id: str) -> StoredCredential:
        """Return the account's credential."""
        asked = {"p_account": account, "p_id": credential_id}
        for credential in await self._credentials("credential_by_id", asked):
            return credential
        raise NotFound("no such credential", code="credential_not_found")

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[StoredCredential, ...]:
        """Return the account's credentials in order of ``(created_at, id)``."""
        asked = {"p_account": account}
        return await self._pages("credential_page", asked, after=after, limit=limit)

    async def replace(self, credential: StoredCredential, *, audit: AuditEntry | None) -> None:
        """Put *credential* in the place of its former version."""
        document = {"p_credential": credential_document(credential)}
        await self._change("replace_credential", document, audit)

    async def remove(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        """Take *credential* away."""
        which = {
            "p_id": credential.id,
            "p_account": credential.account,
            "p_version": credential.version,
        }
        await self._change("remove_credential", which, audit)

    async def encrypted_with(
        self, data_key_id: str, *, after: str | None = None, limit: int = 100
    ) -> tuple[StoredCredential, ...]:
        """Return the credentials under that data key, in order of their ids."""
        asked = {"p_data_key_id": data_key_id}
        return await self._pages("credentials_under", asked, after=after, limit=limit)

    async def forget(self, account: str, *, audit: AuditEntry) -> int:
        """Take all credentials of the account away, and destroy all of its data keys."""
        match await self._change("forget_credentials", {"p_account": account}, audit):
            case [{"forgotten": int() as forgotten}]:
                return forgotten
        raise corrupt(self._connections.port)

    async def _change(
        self, function: str, arguments: Mapping[str, object], audit: AuditEntry | None
    ) -> Sequence[Row]:
        entry = None if audit is None else audit_document(audit)
        arguments = {**arguments, "p_audit": entry}
        return await settled(self._connections.call(function, arguments, effect=Effect.CHANGES))

    async def _credentials(
        self, function: str, arguments: Mapping[str, object]
    ) -> Sequence[StoredCredential]:
        rows = await self._connections.call(function, arguments, effect=Effect.READS)
        return read_documents(rows, credential_from_document, port=self._connections.port)

    async def _pages(
        self, function: str, arguments: Mapping[str, object], *, after: str | None, limit: int
    ) -> tuple[StoredCredential, ...]:
        async def ask(after: str | None, limit: int) -> Sequence[StoredCredential]:
            asked = {**arguments, "p_after": after, "p_limit": limit}
            return await self._credentials(function, asked)

        most = self._connections.address.max_rows
        return await in_pages(ask, limit=limit, most=most, after=after, key=lambda one: one.id)
