"""Show what was asked of providers."""

from datetime import datetime

from attrs import frozen

from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.checks import checked_account, checked_limit, checked_time
from tollkeeper.ports.attempt_log import AttemptLog


@frozen
class ListAttempts:
    """Return an account's attempts, the oldest first."""

    attempt_log: AttemptLog

    async def __call__(
        self,
        *,
        account: str,
        call_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[Attempt, ...]:
        """Return a page of attempts from *since* until before *until*.

        *call_id* restricts it to one call; *after* is the id of the last attempt of the page
        before.

        Raises:
            InvalidRequest: an argument is malformed.
            NotFound: *after* is no attempt of the account.
        """
        return await self.attempt_log.attempts(
            account=checked_account(account),
            call_id=call_id,
            since=None if since is None else checked_time(since, field="since"),
            until=None if until is None else checked_time(until, field="until"),
            limit=checked_limit(limit),
            after=after,
        )
