"""The audit log in the memory of the process."""

from attrs import field, frozen

from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import NotFound


@frozen
class MemoryAuditLog:
    """Reads what the other memory adapters wrote to *database*."""

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
