"""Give back the holds whose time is up."""

from attrs import frozen

from tollkeeper.domain.ledger import Hold
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.ledger import Ledger

_AT_A_TIME = 1000


@frozen
class ExpireHolds:
    """Sweep the holds of calls whose process died.

    Placing a hold frees the account's own overdue ones anyway; sweeping keeps the balances that
    people look at true.
    """

    ledger: Ledger
    clock: Clock

    async def __call__(self) -> tuple[Hold, ...]:
        """Expire every overdue hold and return them."""
        now = self.clock.now()
        expired: list[Hold] = []
        while batch := await self.ledger.expire(at=now, limit=_AT_A_TIME):
            expired.extend(batch)
        return tuple(expired)
