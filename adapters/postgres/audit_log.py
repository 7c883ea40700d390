"""Who changed what, in PostgreSQL."""

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.records import audit_from_row
from tollkeeper.adapters.sql.rows import page_size
from tollkeeper.domain.audit import AuditEntry


class PostgresAuditLog:
    """Reads the audit entries of one database."""

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        self._page = f"SELECT * FROM {connections.schema}.audit_page($1, $2, $3)"

    async def entries(
        self, *, account: str, after: str | None = None, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        """Return the account's entries in the order in which they were written."""
        rows = await self._connections.fetch(self._page, account, after, page_size(limit))
        return tuple(audit_from_row(row) for row in rows)
