"""Capturing holds, alone or many in one statement."""

from collections.abc import Sequence

from attrs import frozen

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.sql.outcomes import (
    Capture,
    captured,
    or_raise,
    placed_attempts,
    placed_usage,
)
from tollkeeper.adapters.sql.rows import attempts_json, by_place, events_json, written
from tollkeeper.domain.errors import TollkeeperError
from tollkeeper.domain.ledger import Entry


@frozen
class Capturing:
    """Captures holds in the database of *connections*."""

    connections: PostgresConnections

    async def one(self, capture: Capture) -> Entry:
        """Capture the hold, or find the entry of the capture before.

        Raises:
            DomainError: it was refused.
        """
        rows = await self.connections.fetch(
            f"SELECT * FROM {self.connections.schema}.capture_hold($1, $2, $3, $4, $5, $6, $7)",
            capture.hold_id,
            capture.amount.nanos,
            capture.amount.currency,
            capture.entry_id,
            capture.at,
            events_json(capture.usage),
            attempts_json(capture.attempts),
            idempotent=True,
        )
        return or_raise(captured(rows[0]))

    async def many(self, captures: Sequence[Capture]) -> list[Entry | TollkeeperError]:
        """Capture holds; return for each what :meth:`one` returns or raises."""
        rows = await self.connections.fetch(
            f"SELECT * FROM {self.connections.schema}.capture_holds($1, $2, $3, $4, $5, $6, $7)",
            [capture.hold_id for capture in captures],
            [capture.amount.nanos for capture in captures],
            [capture.amount.currency for capture in captures],
            [capture.entry_id for capture in captures],
            [capture.at for capture in captures],
            written(placed_usage(captures)),
            written(placed_attempts(captures)),
            idempotent=True,
        )
        return [captured(row) for row in sorted(rows, key=by_place)]
