"""Give an account credit."""

from attrs import frozen

from tollkeeper.domain.checks import checked_account, checked_idempotency_key, checked_text
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.ledger import Entry
from tollkeeper.domain.money import Money
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.ledger import Ledger


@frozen
class GrantCredit:
    """Add to what an account may spend."""

    ledger: Ledger
    clock: Clock
    identifiers: Identifiers

    async def __call__(
        self, *, account: str, amount: Money, idempotency_key: str, description: str = ""
    ) -> Entry:
        """Add *amount* once for each *idempotency_key* of the account, however often called.

        Raises:
            InvalidRequest: an argument is malformed, or *amount* is not positive.
            IdempotencyConflict: the key was used for another amount or description.
        """
        checked_account(account)
        if not isinstance(amount, Money) or amount.nanos <= 0:
            raise InvalidRequest("a grant is a positive amount of Money", code="invalid_amount")
        return await self.ledger.grant(
            account=account,
            amount=amount,
            idempotency_key=checked_idempotency_key(idempotency_key),
            entry_id=self.identifiers.new("entry"),
            at=self.clock.now(),
            description=checked_text(description, field="description"),
        )
