"""Usage events as rows."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from tollkeeper.adapters.sqlite.failures import is_taken
from tollkeeper.adapters.sqlite.rows import from_micros, to_micros
from tollkeeper.domain.errors import IdempotencyConflict
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent

_INSERT = """
    INSERT INTO usage_events (id, account, key_id, call_id, operation, model, meter, quantity,
        provenance, cost, cost_currency, charge, charge_currency, price_id, occurred_at, attempt,
        hold_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_BY_ID = """
    SELECT id, account, key_id, call_id, operation, model, meter, quantity, provenance, cost,
        cost_currency, charge, charge_currency, price_id, occurred_at, attempt
    FROM usage_events WHERE id = ?
"""


def event_from_row(row: tuple[Any, ...]) -> UsageEvent:
    """Read a row of all columns but ``hold_id``, in the order of an event's fields."""
    return UsageEvent(
        id=row[0],
        account=row[1],
        key_id=row[2],
        call_id=row[3],
        operation=row[4],
        model=row[5],
        meter=Meter(row[6]),
        quantity=row[7],
        provenance=Provenance(row[8]),
        cost=Money(row[9], row[10]),
        charge=Money(row[11], row[12]),
        price_id=row[13],
        occurred_at=from_micros(row[14]),
        attempt=row[15],
    )


def _to_row(event: UsageEvent, hold_id: str | None) -> tuple[Any, ...]:
    return (
        event.id,
        event.account,
        event.key_id,
        event.call_id,
        event.operation,
        event.model,
        event.meter.value,
        event.quantity,
        event.provenance.value,
        event.cost.nanos,
        event.cost.currency,
        event.charge.nanos,
        event.charge.currency,
        event.price_id,
        to_micros(event.occurred_at),
        event.attempt,
        hold_id,
    )


def conflict() -> IdempotencyConflict:
    """Make the answer to an event whose id is in use."""
    return IdempotencyConflict("an event of the usage is logged already")


def append_captured(
    connection: sqlite3.Connection, events: Sequence[UsageEvent], *, hold_id: str
) -> None:
    """Append the *events* that the capture of a hold charges.

    Raises:
        IdempotencyConflict: one of them is here already.
    """
    try:
        connection.executemany(_INSERT, [_to_row(event, hold_id) for event in events])
    except sqlite3.IntegrityError as error:
        if is_taken(error):
            raise conflict() from error
        raise


def append_free(connection: sqlite3.Connection, events: Sequence[UsageEvent]) -> None:
    """Append those *events* that are not here yet.

    Raises:
        IdempotencyConflict: one is here and says something else.
    """
    for event in events:
        known = _event(connection, event.id)
        if known is None:
            connection.execute(_INSERT, _to_row(event, None))
        elif not known.same_measurement(event):
            raise conflict()


def were_captured(
    connection: sqlite3.Connection, events: Sequence[UsageEvent], *, logged: Sequence[str]
) -> bool:
    """Whether *events* are just those measurements whose ids are in *logged*."""
    asked = {event.id: event for event in events}
    if asked.keys() != set(logged):
        return False
    known = (_event(connection, event_id) for event_id in logged)
    return all(event is not None and event.same_measurement(asked[event.id]) for event in known)


def _event(connection: sqlite3.Connection, event_id: str) -> UsageEvent | None:
    rows = connection.execute(_BY_ID, (event_id,)).fetchall()
    return event_from_row(rows[0]) if rows else None
