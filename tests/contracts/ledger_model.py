"""A ledger as simple as it can be, to which the state machine compares real ones.

Whole numbers in plain dicts, one call at a time. It answers each call with a short text: what
the real ledger's answer must boil down to, or the name of the error it must raise.
"""

from datetime import datetime

from attrs import define, field

from tollkeeper.domain.money import Money

Purse = tuple[str, str]


@define
class ModelHold:
    """A hold of the model."""

    id: str
    purse: Purse
    nanos: int
    purpose: str
    expires_at: datetime
    state: str = "open"
    taken: int = 0
    quantity: int = 0
    entry_id: str = ""


@define
class LedgerModel:
    """What a ledger should hold after the calls made so far."""

    grants: dict[tuple[str, str], tuple[Money, str, str]] = field(factory=dict)
    """By account and key: amount, description, id of the entry."""
    holds: dict[str, ModelHold] = field(factory=dict)
    hold_of_key: dict[tuple[str, str], str] = field(factory=dict)
    entries: dict[Purse, list[tuple[str, int]]] = field(factory=dict)
    """Id and signed nanos, in order."""

    def posted(self, purse: Purse) -> int:
        """The sum of the entries."""
        return sum(nanos for _, nanos in self.entries.get(purse, ()))

    def open_holds(self, account: str) -> list[ModelHold]:
        """The account's open holds, the oldest expiry first."""
        found = [h for h in self.holds.values() if h.state == "open" and h.purse[0] == account]
        return sorted(found, key=lambda hold: hold.expires_at)

    def held(self, purse: Purse) -> int:
        """The sum of the open holds."""
        return sum(hold.nanos for hold in self.open_holds(purse[0]) if hold.purse == purse)

    def grant(self, account: str, amount: Money, key: str, description: str, entry_id: str) -> str:
        """Add credit."""
        first = self.grants.setdefault((account, key), (amount, description, entry_id))
        if first[:2] != (amount, description):
            return "IdempotencyConflict"
        if first[2] == entry_id:
            self._post((account, amount.currency), entry_id, amount.nanos)
        return f"entry {first[2]} {first[0].nanos}"

    def place_hold(
        self, account: str, amount: Money, key: str, purpose: str, new: ModelHold, at: datetime
    ) -> str:
        """Set money aside as *new*, unless the key says that it was before."""
        overdue = [h for h in self.open_holds(account) if h.purse == new.purse]
        overdue = [h for h in overdue if h.expires_at <= at]
        if (account, key) in self.hold_of_key:
            first = self.holds[self.hold_of_key[account, key]]
            asked = (amount.nanos, amount.currency, purpose)
            if (first.nanos, first.purse[1], first.purpose) != asked:
                return "IdempotencyConflict"
            for hold in overdue:
                hold.state = "expired"
            return f"hold {first.id} {first.state}"
        freed = sum(hold.nanos for hold in overdue)
        if amount.nanos > self.posted(new.purse) - self.held(new.purse) + freed:
            return "InsufficientCredit"
        for hold in overdue:
            hold.state = "expired"
        self.holds[new.id] = new
        self.hold_of_key[account, key] = new.id
        return f"hold {new.id} open"

    def capture(self, hold_id: str, nanos: int, quantity: int, entry_id: str) -> str:
        """Take money for a hold, with one usage event of *quantity*."""
        hold = self.holds[hold_id]
        if hold.state == "captured":
            if (hold.taken, hold.quantity) != (nanos, quantity):
                return "IdempotencyConflict"
            return f"entry {hold.entry_id} {-hold.taken}"
        if hold.state == "released":
            return "Conflict"
        hold.state, hold.taken, hold.quantity, hold.entry_id = "captured", nanos, quantity, entry_id
        self._post(hold.purse, entry_id, -nanos)
        return f"entry {entry_id} {-nanos}"

    def release(self, hold_id: str) -> str:
        """Give a hold back."""
        hold = self.holds[hold_id]
        if hold.state == "captured":
            return "Conflict"
        if hold.state == "open":
            hold.state = "released"
        return f"hold {hold.id} {hold.state}"

    def expire(self, account: str, limit: int, at: datetime) -> str:
        """Give overdue holds back, the oldest expiry first."""
        overdue = [hold for hold in self.open_holds(account) if hold.expires_at <= at][:limit]
        for hold in overdue:
            hold.state = "expired"
        return "expired " + " ".join(hold.id for hold in overdue)

    def _post(self, purse: Purse, entry_id: str, nanos: int) -> None:
        self.entries.setdefault(purse, []).append((entry_id, nanos))
