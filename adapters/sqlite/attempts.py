"""Attempts as rows."""

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from tollkeeper.adapters.sqlite.rows import (
    duration_from_micros,
    duration_to_micros,
    from_micros,
    to_micros,
)
from tollkeeper.domain.attempts import Attempt, Billed, Outcome, Settlement
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money

COLUMNS = """id, call_id, account, number, provider, model, credential, started_at, lasted, outcome,
    billed, settlement, provenance, quantities, cost, cost_currency, price_id, error"""
# Nothing but a known id is passed over: whatever else a row may break is an error.
_INSERT = f"""
    INSERT INTO attempts ({COLUMNS})
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO NOTHING
"""  # noqa: S608 - no more than the names above


def attempt_from_row(row: tuple[Any, ...]) -> Attempt:
    """Read a row of :data:`COLUMNS`."""
    return Attempt(
        id=row[0],
        call_id=row[1],
        account=row[2],
        number=row[3],
        provider=row[4],
        model=row[5],
        credential=row[6],
        started_at=from_micros(row[7]),
        lasted=duration_from_micros(row[8]),
        outcome=Outcome(row[9]),
        billed=Billed(row[10]),
        settlement=Settlement(row[11]),
        provenance=Provenance(row[12]),
        quantities={Meter(meter): count for meter, count in json.loads(row[13]).items()},
        cost=Money(row[14], row[15]),
        price_id=row[16],
        error=row[17],
    )


def _to_row(attempt: Attempt) -> tuple[Any, ...]:
    return (
        attempt.id,
        attempt.call_id,
        attempt.account,
        attempt.number,
        attempt.provider,
        attempt.model,
        attempt.credential,
        to_micros(attempt.started_at),
        duration_to_micros(attempt.lasted),
        attempt.outcome.value,
        attempt.billed.value,
        attempt.settlement.value,
        attempt.provenance.value,
        json.dumps({meter.value: count for meter, count in attempt.quantities.items()}),
        attempt.cost.nanos,
        attempt.cost.currency,
        attempt.price_id,
        attempt.error,
    )


def append_attempts(connection: sqlite3.Connection, attempts: Iterable[Attempt]) -> None:
    """Append those of *attempts* whose ids are not here, in the transaction of the caller."""
    connection.executemany(_INSERT, map(_to_row, attempts))
