"""Where the credentials live that accounts bring for providers, in PostgreSQL."""

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.records import audit_json, document_json, read_documents
from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.encryption_documents import (
    credential_document,
    credential_from_document,
)
from tollkeeper.adapters.sql.rows import page_size
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.credentials import StoredCredential
from tollkeeper.domain.errors import NotFound


class PostgresCredentialStore:
    """Keeps encrypted credentials in one database."""

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        schema = connections.schema
        self._add = f"SELECT {schema}.add_credential($1, $2)"
        self._replace = f"SELECT {schema}.replace_credential($1, $2)"
        self._remove = f"SELECT {schema}.remove_credential($1, $2, $3, $4)"
        self._forget = f"SELECT * FROM {schema}.forget_credentials($1, $2)"
        self._get = f"SELECT * FROM {schema}.credential_by_id($1, $2)"
        self._list = f"SELECT * FROM {schema}.credential_page($1, $2, $3)"
        self._under = f"SELECT * FROM {schema}.credentials_under($1, $2, $3)"

    async def add(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        """Keep a new credential."""
        document = document_json(credential_document(credential))
        await settled(self._connections.fetch(self._add, document, audit_json(audit)))

    async def get(self, *, account: str, credential_id: str) -> StoredCredential:
        """Return the account's credential."""
        for credential in await self._credentials(self._get, account, credential_id):
            return credential
        raise NotFound("no such credential", code="credential_not_found")

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[StoredCredential, ...]:
        """Return the account's credentials in order of ``(created_at, id)``."""
        return await self._credentials(self._list, account, after, page_size(limit))

    async def replace(self, credential: StoredCredential, *, audit: AuditEntry | None) -> None:
        """Put *credential* in the place of its former version."""
        document = document_json(credential_document(credential))
        entry = None if audit is None else audit_json(audit)
        await settled(self._connections.fetch(self._replace, document, entry))

    async def remove(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        """Take *credential* away."""
        which = credential.id, credential.account, credential.version
        await settled(self._connections.fetch(self._remove, *which, audit_json(audit)))

    async def encrypted_with(
        self, data_key_id: str, *, after: str | None = None, limit: int = 100
    ) -> tuple[StoredCredential, ...]:
        """Return the credentials under that data key, in order of their ids."""
        return await self._credentials(self._under, data_key_id, after, page_size(limit))

    async def forget(self, account: str, *, audit: AuditEntry) -> int:
        """Take all credentials of the account away, and destroy all of its data keys."""
        [row] = await settled(self._connections.fetch(self._forget, account, audit_json(audit)))
        return int(row["forgotten"])

    async def _credentials(self, sql: str, *arguments: object) -> tuple[StoredCredential, ...]:
        rows = await self._connections.fetch(sql, *arguments)
        return read_documents(rows, credential_from_document)
