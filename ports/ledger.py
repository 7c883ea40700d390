"""Who has how much, and why."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.ledger import Balance, Entry, Hold
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent


@runtime_checkable
class Ledger(Protocol):
    """Keeps each account's money in each currency: append-only entries, and holds.

    Each method is one atomic step: another caller sees all of it or nothing. What was returned
    is durable as far as the store is. Each change is idempotent for ever, with no time limit:
    the same key with the same arguments changes nothing more and returns the first result; with
    other arguments it raises :class:`IdempotencyConflict` and changes nothing. *at* is the
    caller's clock (aware UTC) and is no argument in this sense. A call that fails uses no key.
    Grants and holds have keys of their own: the same text may name one of each.

    Always: ``posted`` is the sum of the account's entries, ``held`` that of its open holds, and
    neither placing nor any number of callers placing at once makes ``posted - held`` negative.
    An account exists as soon as it is named; one never named has a balance of zero.

    Each method may raise :class:`PortError`; with ``ambiguous`` set, the change may have
    happened, and the same call made again settles the matter.
    """

    async def grant(
        self,
        *,
        account: str,
        amount: Money,
        idempotency_key: str,
        entry_id: str,
        at: datetime,
        description: str = "",
    ) -> Entry:
        """Add *amount* (positive) of credit; the key is the account's own.

        *entry_id* names the new entry and is no argument for idempotency; a replay returns the
        first entry, with its first id.

        Raises:
            InvalidRequest: *amount* is not positive, or the balance would not fit 64 bits.
            IdempotencyConflict: the account used the key for another amount or description.
        """

    async def place_hold(
        self,
        *,
        hold_id: str,
        account: str,
        amount: Money,
        purpose: str,
        idempotency_key: str,
        expires_at: datetime,
        at: datetime,
    ) -> Hold:
        """Set *amount* (0 or more) aside until *expires_at*, if that much is available.

        The account's overdue holds in this currency expire first, in the same step. A replay
        (same account and key) returns the first hold as it stands now, with its first id and
        expiry; *hold_id* and *expires_at* are no arguments for idempotency.

        Raises:
            InsufficientCredit: less than *amount* is available; nothing was set aside, and the
                key stays free.
            IdempotencyConflict: the account used the key for another amount or purpose.
            Conflict: *hold_id* is taken by another key.
            InvalidRequest: *amount* is negative, or *expires_at* is not after *at*.
        """

    async def capture(
        self,
        *,
        hold_id: str,
        amount: Money,
        usage: Sequence[UsageEvent],
        entry_id: str,
        at: datetime,
        attempts: Sequence[Attempt] = (),
    ) -> Entry:
        """Take *amount* for the hold, give the rest back, and log *usage*, in one step.

        *attempts* are logged in the same step; they are no argument for idempotency, and those
        that are logged already are passed over.

        The entry bears the hold's purpose as its description.
        *amount* may exceed the hold, and the account's credit: the balance may turn negative.
        An expired hold is captured all the same, and the entry says ``late``. A replay (same
        hold, same amount, same measurements, whatever their times) returns the first entry.
        *entry_id* is no argument for idempotency.

        Raises:
            NotFound: no such hold.
            Conflict: the hold was released.
            IdempotencyConflict: it was captured for another amount or usage, or another capture
                has logged one of the events.
            InvalidRequest: *amount* is negative, of another currency than the hold, or *usage*
                is not the account's.
        """

    async def release(
        self, *, hold_id: str, at: datetime, attempts: Sequence[Attempt] = ()
    ) -> Hold:
        """Give the whole hold back; one released or expired already is returned as it is.

        *attempts* are logged in the same step, as with a capture.

        Raises:
            NotFound: no such hold.
            Conflict: it was captured.
        """

    async def expire(
        self, *, at: datetime, account: str | None = None, limit: int = 1000
    ) -> tuple[Hold, ...]:
        """Give back at most *limit* open holds whose ``expires_at`` is not after *at*.

        The oldest expiry goes first; *account* restricts it to one account. Returns the expired
        holds; calling again until the answer is empty expires all.
        """

    async def balance(self, *, account: str, currency: str) -> Balance:
        """Return the account's balance in *currency*; zero if it never had any."""

    async def entries(
        self, *, account: str, currency: str, after: int = 0, limit: int = 100
    ) -> tuple[Entry, ...]:
        """Return entries in order of ``sequence``, those above *after*, at most *limit*."""
