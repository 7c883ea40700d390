"""Who has how much, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime

from tollkeeper.adapters.postgres.batching import Grouped
from tollkeeper.adapters.postgres.capturing import Capturing
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.placing import Placing, Releasing
from tollkeeper.adapters.sql.outcomes import Capture, Release, granted, or_raise
from tollkeeper.adapters.sql.rows import (
    aware,
    balance_from_row,
    entry_from_row,
    hold_from_row,
    page_size,
)
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.ledger import Balance, Entry, Hold
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent


class PostgresLedger:
    """Keeps each account's money in a database that any number of processes share.

    Each change is one function call, so one round trip and one transaction. Holds, captures and
    releases that are asked for while another such statement is under way share the next one,
    unless the address says ``group=off``.
    """

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        self._schema = connections.schema
        address = connections.address
        placing, capturing = Placing(connections), Capturing(connections)
        releasing = Releasing(connections)
        self._places = Grouped(placing.one, placing.many, address.timeout)
        self._captures = Grouped(capturing.one, capturing.many, address.timeout)
        self._releases = Grouped(releasing.one, releasing.many, address.timeout)
        self._place = self._places.ask if address.group else placing.one
        self._capture = self._captures.ask if address.group else capturing.one
        self._release = self._releases.ask if address.group else releasing.one

    @property
    def statements(self) -> int:
        """How many statements the grouped changes took so far."""
        return self._places.statements + self._captures.statements + self._releases.statements

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
        """Add *amount* of credit."""
        if amount.nanos <= 0:
            raise InvalidRequest("a grant must be positive", code="invalid_amount")
        [row] = await self._connections.fetch(
            f"SELECT * FROM {self._schema}.grant_credit($1, $2, $3, $4, $5, $6, $7)",
            account,
            amount.currency,
            amount.nanos,
            idempotency_key,
            entry_id,
            aware(at),
            description,
            idempotent=True,
        )
        return or_raise(granted(row))

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
        """Set *amount* aside until *expires_at*, if that much is available."""
        aware(at), aware(expires_at)
        return await self._place(
            Hold(hold_id, account, amount, idempotency_key, purpose, at, expires_at)
        )

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
        """Take *amount* for the hold, give the rest back, and log *usage* and *attempts*."""
        return await self._capture(
            Capture(hold_id, amount, entry_id, aware(at), tuple(usage), tuple(attempts))
        )

    async def release(
        self, *, hold_id: str, at: datetime, attempts: Sequence[Attempt] = ()
    ) -> Hold:
        """Give the whole hold back, and log *attempts*."""
        return await self._release(Release(hold_id, aware(at), tuple(attempts)))

    async def expire(
        self, *, at: datetime, account: str | None = None, limit: int = 1000
    ) -> tuple[Hold, ...]:
        """Give back overdue holds, at most *limit*."""
        rows = await self._connections.fetch(
            f"SELECT * FROM {self._schema}.expire_holds($1, $2, $3)",
            aware(at),
            account,
            page_size(limit),
        )
        return tuple(map(hold_from_row, rows))

    async def balance(self, *, account: str, currency: str) -> Balance:
        """Return the account's balance in *currency*."""
        rows = await self._connections.fetch(
            f"SELECT * FROM {self._schema}.balance_of($1, $2)",
            account,
            currency,
            idempotent=True,
        )
        return balance_from_row(account, currency, rows[0] if rows else None)

    async def entries(
        self, *, account: str, currency: str, after: int = 0, limit: int = 100
    ) -> tuple[Entry, ...]:
        """Return entries in order of ``sequence``, those above *after*."""
        rows = await self._connections.fetch(
            f"SELECT * FROM {self._schema}.entries_of($1, $2, $3, $4)",
            account,
            currency,
            after,
            page_size(limit),
            idempotent=True,
        )
        return tuple(map(entry_from_row, rows))
