"""What was asked of providers, request by request."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from tollkeeper.domain.attempts import Attempt


@runtime_checkable
class AttemptLog(Protocol):
    """Keeps attempts for ever; they never change. Either method may raise PortError.

    ``Ledger.capture`` and ``Ledger.release`` of the same store append here in their own step.
    """

    async def record(self, attempts: Sequence[Attempt]) -> None:
        """Append *attempts*, all or none; those whose id is here already are passed over."""

    async def attempts(
        self,
        *,
        account: str,
        call_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[Attempt, ...]:
        """Return the account's attempts from *since* until before *until*, at most *limit*.

        In order of ``(started_at, id)``; *call_id* restricts it to one call, *after* is the id of
        the last attempt of the page before.

        Raises:
            NotFound: *after* is no attempt of the account.
        """
