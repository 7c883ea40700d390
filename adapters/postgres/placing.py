"""Placing holds and giving them back, alone or many in one statement."""

from collections.abc import Sequence

from attrs import frozen

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.sql.outcomes import (
    Release,
    or_raise,
    placed,
    placed_attempts,
    released,
)
from tollkeeper.adapters.sql.rows import attempts_json, by_place, written
from tollkeeper.domain.errors import TollkeeperError
from tollkeeper.domain.ledger import Hold


@frozen
class Placing:
    """Places holds in the database of *connections*."""

    connections: PostgresConnections

    async def one(self, hold: Hold) -> Hold:
        """Place *hold*, or find the one that its key placed before.

        Raises:
            DomainError: it was refused.
        """
        rows = await self.connections.fetch(
            f"SELECT * FROM {self.connections.schema}.place_hold($1, $2, $3, $4, $5, $6, $7, $8)",
            hold.id,
            hold.account,
            hold.amount.currency,
            hold.amount.nanos,
            hold.purpose,
            hold.idempotency_key,
            hold.expires_at,
            hold.placed_at,
            idempotent=True,
        )
        return or_raise(placed(hold, rows[0]))

    async def many(self, holds: Sequence[Hold]) -> list[Hold | TollkeeperError]:
        """Place *holds*; return for each what :meth:`one` returns or raises."""
        rows = await self.connections.fetch(
            f"SELECT * FROM {self.connections.schema}.place_holds($1, $2, $3, $4, $5, $6, $7, $8)",
            [hold.id for hold in holds],
            [hold.account for hold in holds],
            [hold.amount.currency for hold in holds],
            [hold.amount.nanos for hold in holds],
            [hold.purpose for hold in holds],
            [hold.idempotency_key for hold in holds],
            [hold.expires_at for hold in holds],
            [hold.placed_at for hold in holds],
            idempotent=True,
        )
        # What is not named was placed as it was asked for.
        answers: list[Hold | TollkeeperError] = list(holds)
        for row in rows:
            place = row["place"] - 1
            answers[place] = placed(holds[place], row)
        return answers


@frozen
class Releasing:
    """Gives holds back in the database of *connections*."""

    connections: PostgresConnections

    async def one(self, release: Release) -> Hold:
        """Give the hold back.

        Raises:
            DomainError: it was refused.
        """
        rows = await self.connections.fetch(
            f"SELECT * FROM {self.connections.schema}.release_hold($1, $2, $3)",
            release.hold_id,
            release.at,
            attempts_json(release.attempts),
            idempotent=True,
        )
        return or_raise(released(rows[0]))

    async def many(self, releases: Sequence[Release]) -> list[Hold | TollkeeperError]:
        """Give holds back; return for each what :meth:`one` returns or raises."""
        rows = await self.connections.fetch(
            f"SELECT * FROM {self.connections.schema}.release_holds($1, $2, $3)",
            [release.hold_id for release in releases],
            [release.at for release in releases],
            written(placed_attempts(releases)),
            idempotent=True,
        )
        return [released(row) for row in sorted(rows, key=by_place)]
