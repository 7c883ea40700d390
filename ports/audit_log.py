"""Who changed what."""

from typing import Protocol, runtime_checkable

from tollkeeper.domain.audit import AuditEntry


@runtime_checkable
class AuditLog(Protocol):
    """Reads the audit entries that the other ports wrote with their changes."""

    async def entries(
        self, *, account: str, after: str | None = None, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        """Return the account's entries in the order in which they were written.

        *after* is the id of the last entry of the page before. May raise PortError.

        Raises:
            NotFound: *after* is no entry of the account.
        """
