"""Holds, entries and balances: the rules that every ledger adapter applies.

A hold is placed once and resolved once::

    open ──capture──▶ captured
      ├───release───▶ released
      └───expire────▶ expired ──capture (late)──▶ captured

A late capture still posts: the provider has done, and billed, the work.
"""

from datetime import datetime
from enum import StrEnum

from attrs import evolve, frozen

from tollkeeper.domain.errors import Conflict, InsufficientCredit, InvalidRequest
from tollkeeper.domain.money import Money


class HoldState(StrEnum):
    """Where a hold stands."""

    OPEN = "open"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"


class EntryKind(StrEnum):
    """Why a balance moved."""

    GRANT = "grant"
    CAPTURE = "capture"


@frozen
class Hold:
    """Money set aside for one call until *expires_at*.

    *purpose* says what for, in words of the caller; a replay must bring the same ones.
    """

    id: str
    account: str
    amount: Money
    idempotency_key: str
    purpose: str
    placed_at: datetime
    expires_at: datetime
    state: HoldState = HoldState.OPEN
    captured: Money | None = None
    resolved_at: datetime | None = None

    def __attrs_post_init__(self) -> None:
        if self.amount.nanos < 0:
            raise InvalidRequest("a hold cannot be negative", code="invalid_amount")
        if self.expires_at <= self.placed_at:
            raise InvalidRequest("a hold must expire after it is placed", code="invalid_expiry")

    def is_replay_of(self, other: "Hold") -> bool:
        """Whether the two were asked for with the same arguments."""
        return self.amount == other.amount and self.purpose == other.purpose

    def capture(self, amount: Money, *, at: datetime) -> "Hold":
        """Take *amount*, which may exceed the hold: the work is done and must be paid.

        Raises:
            Conflict: the hold is captured or released already.
            InvalidRequest: *amount* is negative or of another currency.
        """
        if self.state not in (HoldState.OPEN, HoldState.EXPIRED):
            raise Conflict(f"the hold is {self.state} already", code="hold_not_open")
        if amount.currency != self.amount.currency:
            raise InvalidRequest("the hold is in another currency", code="currency_mismatch")
        if amount.nanos < 0:
            raise InvalidRequest("a capture cannot be negative", code="invalid_amount")
        return Hold(
            self.id,
            self.account,
            self.amount,
            self.idempotency_key,
            self.purpose,
            self.placed_at,
            self.expires_at,
            HoldState.CAPTURED,
            amount,
            at,
        )

    def release(self, *, at: datetime) -> "Hold":
        """Give everything back. A hold that is released or expired stays as it is.

        Raises:
            Conflict: the hold is captured.
        """
        if self.state is HoldState.CAPTURED:
            raise Conflict("the hold is captured already", code="hold_not_open")
        if self.state is not HoldState.OPEN:
            return self
        return evolve(self, state=HoldState.RELEASED, resolved_at=at)

    def is_overdue(self, at: datetime) -> bool:
        """Whether the clock gives this hold back at *at*."""
        return self.state is HoldState.OPEN and self.expires_at <= at

    def expire(self, *, at: datetime) -> "Hold":
        """Give everything back because the time is up. A hold that is not open stays as it is."""
        if self.state is not HoldState.OPEN:
            return self
        return evolve(self, state=HoldState.EXPIRED, resolved_at=at)


@frozen
class Entry:
    """One line of the append-only ledger; *amount* is signed, *sequence* has no gaps.

    Captures name their *hold_id*, what was *held* for them, and whether they came *late*, after
    the hold had expired.
    """

    id: str
    account: str
    sequence: int
    kind: EntryKind
    amount: Money
    balance_after: Money
    at: datetime
    description: str = ""
    idempotency_key: str = ""
    hold_id: str | None = None
    held: Money | None = None
    late: bool = False


@frozen
class Balance:
    """An account's money in one currency: *posted* is the sum of its entries."""

    account: str
    posted: Money
    held: Money
    sequence: int = 0
    """The number of entries behind *posted*."""

    @property
    def available(self) -> Money:
        """What a new hold may take: posted - held. Negative after a capture beyond the credit."""
        return self.posted - self.held

    def with_hold(self, amount: Money) -> "Balance":
        """Set *amount* aside.

        Raises:
            InsufficientCredit: less than that is available.
        """
        if amount > self.available:
            raise InsufficientCredit(
                f"the call needs up to {amount} of credit; {self.available} is available: "
                "add credit, or ask for less"
            )
        return Balance(self.account, self.posted, self.held + amount, self.sequence)

    def without_hold(self, amount: Money) -> "Balance":
        """Give a hold of *amount* back."""
        return Balance(self.account, self.posted, self.held - amount, self.sequence)

    def posting(self, amount: Money) -> "Balance":
        """Add an entry of *amount* (signed).

        Raises:
            InvalidRequest: the balance would no longer fit 64 bits.
        """
        return Balance(self.account, self.posted + amount, self.held, self.sequence + 1)
