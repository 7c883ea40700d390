"""The audit log in the memory of the process."""

from attrs import field, frozen

from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.domain.audit import AuditEntry, AuditHead
from tollkeeper.domain.errors import NotFound


@frozen
class MemoryAuditLog:
    """Reads what the other memory adapters wrote to *database*, and appends to it."""

    database: MemoryDatabase = field(factory=MemoryDatabase)

    async def entries(
        self, *, account: str, after: str | None = None, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        """Return a page of the account's entries."""
        entries = self.database.audit.get(account, [])
        start = 0
        if after is not None:
            start = 1 + next((n for n, entry in enumerate(entries) if entry.id == after), -1)
            if not start:
                raise NotFound("no such audit entry", code="audit_entry_not_found")
        return tuple(entries[start : start + limit])

    async def head(self, account: str) -> AuditHead:
        """Return the number and the MAC of the account's last entry."""
        entries = self.database.audit.get(account)
        return AuditHead(len(entries), entries[-1].mac) if entries else AuditHead()

    async def append(self, entry: AuditEntry) -> None:
        """Write an entry that tells of no change in the store."""
        self.database.write(self.database.placed(entry))

    async def accounts(self, *, after: str | None = None, limit: int = 100) -> tuple[str, ...]:
        """Return a page of the accounts that have entries."""
        found = [
            account
            for account, entries in self.database.audit.items()
            if entries and (after is None or account > after)
        ]
        return tuple(sorted(found)[:limit])
