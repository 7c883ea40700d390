"""Who changed what, in Supabase."""

from tollkeeper.adapters.sql.records import audit_from_row
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.paging import in_pages
from tollkeeper.adapters.supabase.values import read_rows
from tollkeeper.domain.audit import AuditEntry


class SupabaseAuditLog:
    """Reads the audit entries of one project."""

    def __init__(self, connections: SupabaseConnections) -> None:
        self._connections = connections

    async def entries(
        self, *, account: str, after: str | None = None, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        """Return the account's entries in the order in which they were written."""

        async def ask(after: str | None, limit: int) -> list[AuditEntry]:
            rows = await self._connections.call(
                "audit_page",
                {"p_account": account, "p_after": after, "p_limit": limit},
                effect=Effect.READS,
            )
            return read_rows(rows, audit_from_row, port=self._connections.port)

        most = self._connections.address.max_rows
        return await in_pages(ask, limit=limit, most=most, after=after, key=lambda one: one.id)
