"""What the ledger's functions say of a request in the column ``outcome``, as values or errors."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from attrs import frozen

from tollkeeper.adapters.sql.rows import (
    Row,
    attempt_document,
    entry_from_row,
    event_document,
    hold_from_row,
)
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.errors import (
    Conflict,
    IdempotencyConflict,
    InsufficientCredit,
    InvalidRequest,
    NotFound,
    TollkeeperError,
)
from tollkeeper.domain.ledger import Balance, Entry, Hold
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent

T = TypeVar("T", Entry, Hold)
Refusals = Mapping[str, Callable[[], TollkeeperError]]


@frozen
class Capture:
    """A request to take money for a hold."""

    hold_id: str
    amount: Money
    entry_id: str
    at: datetime
    usage: tuple[UsageEvent, ...]
    attempts: tuple[Attempt, ...]


@frozen
class Release:
    """A request to give a hold back."""

    hold_id: str
    at: datetime
    attempts: tuple[Attempt, ...]


def or_raise(answer: T | TollkeeperError) -> T:
    """Return *answer*, unless it is an error.

    Raises:
        TollkeeperError: it is one.
    """
    if isinstance(answer, TollkeeperError):
        raise answer
    return answer


def granted(row: Row) -> Entry | TollkeeperError:
    """Read a row of ``grant_credit``."""
    return _read(row, ("granted", "replayed"), _GRANTS, entry_from_row)


def placed(hold: Hold, row: Row) -> Hold | TollkeeperError:
    """Read what became of placing *hold*."""
    match row["outcome"]:
        case "placed":
            return hold
        case "insufficient":
            return _insufficient(hold, row["available"])
    return _read(row, ("replayed",), _HOLDS, hold_from_row)


def released(row: Row) -> Hold | TollkeeperError:
    """Read what became of giving a hold back."""
    return _read(row, ("released", "kept"), _RELEASES, hold_from_row)


def captured(row: Row) -> Entry | TollkeeperError:
    """Read what became of a capture."""
    return _read(row, ("captured", "replayed"), _CAPTURES, entry_from_row)


def placed_usage(captures: Sequence[Capture]) -> list[dict[str, object]]:
    """Write the usage of *captures*, each event with the place of its capture, from 1."""
    return [
        {**event_document(event), "place": place, "hold_id": capture.hold_id}
        for place, capture in enumerate(captures, start=1)
        for event in capture.usage
    ]


def placed_attempts(changes: Sequence[Capture | Release]) -> list[dict[str, object]]:
    """Write the attempts of *changes*, each with the place of its change, from 1."""
    return [
        {**attempt_document(attempt), "place": place}
        for place, change in enumerate(changes, start=1)
        for attempt in change.attempts
    ]


def _read(
    row: Row, done: Sequence[str], refusals: Refusals, read: Callable[[Row], T]
) -> T | TollkeeperError:
    outcome = row["outcome"]
    return read(row) if outcome in done else refusals[outcome]()


def _insufficient(hold: Hold, available: int) -> TollkeeperError:
    currency = hold.amount.currency
    balance = Balance(hold.account, Money(available, currency), Money.zero(currency))
    try:
        balance.with_hold(hold.amount)
    except InsufficientCredit as error:
        return error.with_traceback(None)
    return InsufficientCredit("the account has no credit left for this call")


_GRANTS: Refusals = {
    "key_used": lambda: IdempotencyConflict("the key was used for another grant"),
    "too_large": lambda: InvalidRequest("the amount is too large", code="invalid_amount"),
}
_HOLDS: Refusals = {
    "key_used": lambda: IdempotencyConflict("the key was used for another hold"),
    "id_taken": lambda: Conflict("the hold's id is taken", code="hold_id_taken"),
}
_NO_HOLD: Refusals = {
    "not_found": lambda: NotFound("no such hold", code="hold_not_found"),
    "id_taken": lambda: Conflict("an id is taken already; make a new one"),
}
_RELEASES: Refusals = {
    **_NO_HOLD,
    "captured": lambda: Conflict("the hold is captured already", code="hold_not_open"),
    "wrong_account": lambda: InvalidRequest(
        "attempts and hold must be of one account", code="wrong_account"
    ),
}
_CAPTURES: Refusals = {
    **_NO_HOLD,
    "wrong_account": lambda: InvalidRequest(
        "usage, attempts and hold must be of one account", code="wrong_account"
    ),
    "other_capture": lambda: IdempotencyConflict(
        "the hold was captured for another amount or usage"
    ),
    "released": lambda: Conflict("the hold is released already", code="hold_not_open"),
    "other_currency": lambda: InvalidRequest(
        "the hold is in another currency", code="currency_mismatch"
    ),
    "negative": lambda: InvalidRequest("a capture cannot be negative", code="invalid_amount"),
    "too_large": lambda: InvalidRequest("the amount is too large", code="invalid_amount"),
    "usage_logged": lambda: IdempotencyConflict("an event of the usage is logged already"),
}
