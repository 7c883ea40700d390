"""Show an account's ledger."""

from attrs import frozen

from tollkeeper.application.policy import Policy
from tollkeeper.domain.checks import checked_account, checked_limit
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.ledger import Entry
from tollkeeper.domain.money import Money
from tollkeeper.ports.ledger import Ledger

_LARGEST = 2**63 - 1


@frozen
class ListEntries:
    """Show each grant and capture of an account, and the balance after it."""

    ledger: Ledger
    policy: Policy

    async def __call__(
        self, *, account: str, currency: str | None = None, after: int = 0, limit: int = 100
    ) -> tuple[Entry, ...]:
        """Return at most *limit* entries in order, those whose sequence is above *after*.

        Raises:
            InvalidRequest: an argument is malformed.
        """
        checked_account(account)
        unit = Money.zero(self.policy.currency if currency is None else currency).currency
        if type(after) is not int or not 0 <= after <= _LARGEST:
            raise InvalidRequest("after is a sequence number: 0 or more, and within 64 bits")
        return await self.ledger.entries(
            account=account, currency=unit, after=after, limit=checked_limit(limit)
        )
