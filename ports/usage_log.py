"""What was used."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from tollkeeper.domain.usage import UsageEvent, UsageTotal


@runtime_checkable
class UsageLog(Protocol):
    """Keeps usage events for ever; they never change. Any method may raise PortError.

    ``Ledger.capture`` of the same store appends here in its own atomic step.
    """

    async def record(self, events: Sequence[UsageEvent]) -> None:
        """Append *events* that charge nothing, all or none; those here already are passed over.

        Raises:
            InvalidRequest: an event charges something; only a capture may record that.
            IdempotencyConflict: an event's id is here with another measurement.
        """

    async def events(
        self,
        *,
        account: str,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[UsageEvent, ...]:
        """Return the account's events from *since* until before *until*, at most *limit*.

        In order of ``(occurred_at, id)``; *after* is the id of the last event of the page before.

        Raises:
            NotFound: *after* is no event of the account.
        """

    async def totals(
        self, *, account: str, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[UsageTotal, ...]:
        """Sum the account's events from *since* until before *until*.

        One total for each operation, model, meter and currency, in that order.
        """
