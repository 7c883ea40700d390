"""Calls that the ledger's state machine makes to a ledger and to its model alike."""

from collections.abc import Awaitable
from datetime import datetime, timedelta

from attrs import frozen

from tollkeeper.contracts.ledger_model import LedgerModel, ModelHold
from tollkeeper.contracts.samples import a_usage_event, new_id
from tollkeeper.domain.errors import DomainError
from tollkeeper.domain.ledger import Entry, Hold
from tollkeeper.domain.money import Money
from tollkeeper.ports.ledger import Ledger

Made = Awaitable[Entry] | Awaitable[Hold] | Awaitable[tuple[Hold, ...]]
"""A call that was made and not awaited yet."""
LIFE_OF_A_HOLD = timedelta(seconds=10)


async def boiled_down(made: Made) -> str:
    """Await a call and write its answer, or the name of its error, as the model does."""
    try:
        answer = await made
    except DomainError as error:
        return type(error).__name__
    if isinstance(answer, Entry):
        return f"entry {answer.id} {answer.amount.nanos}"
    if isinstance(answer, Hold):
        return f"hold {answer.id} {answer.state}"
    return "expired " + " ".join(hold.id for hold in answer)


@frozen
class Call:
    """A call by what counts as its arguments; made again, it has new ids and another time."""

    method: str
    account: str
    amount: Money
    key: str = ""
    text: str = ""
    hold_id: str = ""
    quantity: int = 0

    def make(self, model: LedgerModel, ledger: Ledger, *, at: datetime) -> tuple[str, Made]:
        """Make the call to *model* and to *ledger*; return what the one says, to compare."""
        if self.method == "grant":
            return self._grant(model, ledger, at)
        if self.method == "place_hold":
            return self._place_hold(model, ledger, at)
        if self.method == "capture":
            return self._capture(model, ledger, at)
        return model.release(self.hold_id), ledger.release(hold_id=self.hold_id, at=at)

    def _grant(self, model: LedgerModel, ledger: Ledger, at: datetime) -> tuple[str, Made]:
        entry_id = new_id("entry")
        expected = model.grant(self.account, self.amount, self.key, self.text, entry_id)
        return expected, ledger.grant(
            account=self.account,
            amount=self.amount,
            idempotency_key=self.key,
            entry_id=entry_id,
            at=at,
            description=self.text,
        )

    def _place_hold(self, model: LedgerModel, ledger: Ledger, at: datetime) -> tuple[str, Made]:
        purse = (self.account, self.amount.currency)
        expires_at = at + LIFE_OF_A_HOLD
        new = ModelHold(new_id("hold"), purse, self.amount.nanos, self.text, expires_at)
        expected = model.place_hold(self.account, self.amount, self.key, self.text, new, at)
        return expected, ledger.place_hold(
            hold_id=new.id,
            account=self.account,
            amount=self.amount,
            purpose=self.text,
            idempotency_key=self.key,
            expires_at=expires_at,
            at=at,
        )

    def _capture(self, model: LedgerModel, ledger: Ledger, at: datetime) -> tuple[str, Made]:
        entry_id = new_id("entry")
        event = a_usage_event(self.account, at=at, id=f"of {self.hold_id}", quantity=self.quantity)
        expected = model.capture(self.hold_id, self.amount.nanos, self.quantity, entry_id)
        return expected, ledger.capture(
            hold_id=self.hold_id, amount=self.amount, usage=[event], entry_id=entry_id, at=at
        )
