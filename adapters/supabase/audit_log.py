"""Who changed what, in Supabase."""

from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.records import audit_document, audit_from_row, head_from_row
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.paging import in_pages
from tollkeeper.adapters.supabase.values import read_rows
from tollkeeper.domain.audit import AuditEntry, AuditHead


class SupabaseAuditLog:
    """Reads the audit entries of one project, and writes those that tell of no change in it."""

    def __init__(self, connections: SupabaseConnections) -> None:
        self._connections = connections
        self._most = connections.address.max_rows

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

        return await in_pages(
            ask, limit=limit, most=self._most, after=after, key=lambda one: one.id
        )

    async def head(self, account: str) -> AuditHead:
        """Return the number and the MAC of the account's last entry."""
        asked = {"p_account": account}
        rows = await self._connections.call("audit_head", asked, effect=Effect.READS)
        for head in read_rows(rows, head_from_row, port=self._connections.port):
            return head
        return AuditHead()

    async def append(self, entry: AuditEntry) -> None:
        """Write an entry that tells of no change in the store."""
        arguments = {"p_audit": audit_document(entry)}
        await settled(self._connections.call("add_audit", arguments, effect=Effect.CHANGES))

    async def accounts(self, *, after: str | None = None, limit: int = 100) -> tuple[str, ...]:
        """Return the accounts that have entries, in order."""

        async def ask(after: str | None, limit: int) -> list[str]:
            asked = {"p_after": after, "p_limit": limit}
            rows = await self._connections.call("audit_accounts", asked, effect=Effect.READS)
            port = self._connections.port
            return read_rows(rows, lambda row: str(row["account"]), port=port)

        return await in_pages(
            ask, limit=limit, most=self._most, after=after, key=lambda account: account
        )
