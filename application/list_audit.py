"""Show who changed what in an account."""

from attrs import frozen

from tollkeeper.application.manage_plans import EVERYONE
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.checks import checked_account, checked_limit
from tollkeeper.ports.audit_log import AuditLog


@frozen
class ListAudit:
    """Show the changes to an account's keys and plan, each written with its change."""

    audit_log: AuditLog

    async def __call__(
        self, *, account: str, after: str | None = None, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        """Return at most *limit* entries, oldest first; *after* is the last id of the page before.

        Changes to the plans themselves are under the account ``*``.

        Raises:
            InvalidRequest: an argument is malformed.
            NotFound: *after* is no entry of the account.
        """
        if account != EVERYONE:
            checked_account(account)
        return await self.audit_log.entries(
            account=account, after=after, limit=checked_limit(limit)
        )
