"""Who changed what, in PostgreSQL."""

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.records import audit_from_row, audit_json, head_from_row
from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.rows import page_size
from tollkeeper.domain.audit import AuditEntry, AuditHead


class PostgresAuditLog:
    """Reads the audit entries of one database, and writes those that tell of no change in it."""

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        schema = connections.schema
        self._page = f"SELECT * FROM {schema}.audit_page($1, $2, $3)"
        self._head = f"SELECT * FROM {schema}.audit_head($1)"
        self._append = f"SELECT {schema}.add_audit($1)"
        self._accounts = f"SELECT * FROM {schema}.audit_accounts($1, $2)"

    async def entries(
        self, *, account: str, after: str | None = None, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        """Return the account's entries in the order in which they were written."""
        rows = await self._connections.fetch(self._page, account, after, page_size(limit))
        return tuple(audit_from_row(row) for row in rows)

    async def head(self, account: str) -> AuditHead:
        """Return the number and the MAC of the account's last entry."""
        for row in await self._connections.fetch(self._head, account):
            return head_from_row(row)
        return AuditHead()

    async def append(self, entry: AuditEntry) -> None:
        """Write an entry that tells of no change in the store."""
        await settled(self._connections.fetch(self._append, audit_json(entry)))

    async def accounts(self, *, after: str | None = None, limit: int = 100) -> tuple[str, ...]:
        """Return the accounts that have entries, in order."""
        rows = await self._connections.fetch(self._accounts, after, page_size(limit))
        return tuple(row["account"] for row in rows)
