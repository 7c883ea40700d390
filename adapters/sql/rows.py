"""How the ledger's domain values are written to SQL databases and read back."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.ledger import Balance, Entry, EntryKind, Hold, HoldState
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent

Row = Mapping[str, Any]
_STATES = {state.value: state for state in HoldState}
_KINDS = {kind.value: kind for kind in EntryKind}
_MICROSECOND = timedelta(microseconds=1)
_LARGEST = 2**63 - 1


def aware(at: datetime) -> datetime:
    """Return *at*, which names its time zone: a driver may take it for the machine's own.

    Raises:
        InvalidRequest: it has no time zone.
    """
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise InvalidRequest("a time must be a datetime with a time zone")
    return at


def page_size(limit: int) -> int:
    """Return *limit* as LIMIT takes it: below zero is an error there."""
    return min(max(limit, 0), _LARGEST)


def by_place(row: Row) -> int:
    """Return which request of a batch *row* answers, counted from 1."""
    place: int = row["place"]
    return place


def hold_from_row(row: Row) -> Hold:
    """Read a hold of a row with its columns."""
    currency, captured = row["currency"], row["captured"]
    return Hold(
        row["id"],
        row["account"],
        Money(row["amount"], currency),
        row["idempotency_key"],
        row["purpose"],
        row["placed_at"],
        row["expires_at"],
        _STATES[row["state"]],
        None if captured is None else Money(captured, currency),
        row["resolved_at"],
    )


def entry_from_row(row: Row) -> Entry:
    """Read an entry of a row with its columns."""
    currency, held = row["currency"], row["held"]
    return Entry(
        row["id"],
        row["account"],
        row["sequence"],
        _KINDS[row["kind"]],
        Money(row["amount"], currency),
        Money(row["balance_after"], currency),
        row["at"],
        row["description"],
        row["idempotency_key"],
        row["hold_id"],
        None if held is None else Money(held, currency),
        row["late"],
    )


def balance_from_row(account: str, currency: str, row: Row | None) -> Balance:
    """Read the account's balance, zero if there is no row."""
    if row is None:
        return Balance(account, Money.zero(currency), Money.zero(currency))
    return Balance(
        account, Money(row["posted"], currency), Money(row["held"], currency), row["sequence"]
    )


def event_document(event: UsageEvent) -> dict[str, object]:
    """Write a usage event as JSON, by the names of the columns."""
    return {
        "id": event.id,
        "account": event.account,
        "key_id": event.key_id,
        "call_id": event.call_id,
        "operation": event.operation,
        "model": event.model,
        "meter": event.meter.value,
        "quantity": event.quantity,
        "provenance": event.provenance.value,
        "cost": event.cost.nanos,
        "cost_currency": event.cost.currency,
        "charge": event.charge.nanos,
        "charge_currency": event.charge.currency,
        "price_id": event.price_id,
        "occurred_at": aware(event.occurred_at).isoformat(),
        "attempt": event.attempt,
    }


def attempt_document(attempt: Attempt) -> dict[str, object]:
    """Write an attempt as JSON, by the names of the columns."""
    return {
        "id": attempt.id,
        "call_id": attempt.call_id,
        "account": attempt.account,
        "number": attempt.number,
        "provider": attempt.provider,
        "model": attempt.model,
        "credential": attempt.credential,
        "started_at": attempt.started_at.isoformat(),
        "lasted": f"{attempt.lasted // _MICROSECOND} microseconds",
        "outcome": attempt.outcome.value,
        "billed": attempt.billed.value,
        "settlement": attempt.settlement.value,
        "provenance": attempt.provenance.value,
        "quantities": {meter.value: count for meter, count in attempt.quantities.items()},
        "cost": attempt.cost.nanos,
        "cost_currency": attempt.cost.currency,
        "price_id": attempt.price_id,
        "error": attempt.error,
    }


def written(documents: Sequence[object]) -> str:
    """Write *documents* as an array for a parameter of type jsonb."""
    return json.dumps(documents) if documents else "[]"


def events_json(events: Sequence[UsageEvent]) -> str:
    """Write *events* as an array for a parameter of type jsonb."""
    return written([event_document(event) for event in events])


def attempts_json(attempts: Sequence[Attempt]) -> str:
    """Write *attempts* as an array for a parameter of type jsonb."""
    return written([attempt_document(attempt) for attempt in attempts])
