"""Who changed what."""

from typing import Protocol, runtime_checkable

from tollkeeper.domain.audit import AuditEntry, AuditHead


@runtime_checkable
class AuditLog(Protocol):
    """Reads the audit entries that the other ports wrote with their changes.

    Each account's entries are numbered from 1, without gaps, in the order in which they were
    written; they can be neither changed nor taken away. Each method may raise PortError.
    """

    async def entries(
        self, *, account: str, after: str | None = None, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        """Return the account's entries in the order in which they were written, with their numbers.

        *after* is the id of the last entry of the page before.

        Raises:
            NotFound: *after* is no entry of the account.
        """

    async def head(self, account: str) -> AuditHead:
        """Return the number and the MAC of the account's last entry; 0 and nothing if none is."""

    async def append(self, entry: AuditEntry) -> None:
        """Write an entry that tells of no change in the store, such as refused calls.

        Raises:
            Conflict: *entry* has a sequence, and it is not the next (code ``audit_moved``); or its
                id is taken.
        """

    async def accounts(self, *, after: str | None = None, limit: int = 100) -> tuple[str, ...]:
        """Return the accounts that have entries, in order, at most *limit*, those after *after*.

        *after* need not be an account that has any.
        """
