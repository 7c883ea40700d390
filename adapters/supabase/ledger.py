"""Who has how much, in Supabase."""

from collections.abc import Sequence
from datetime import datetime

from tollkeeper.adapters.sql.batching import Grouped
from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.outcomes import Capture, Release, granted, or_raise
from tollkeeper.adapters.sql.rows import (
    aware,
    balance_from_row,
    entry_from_row,
    hold_from_row,
    page_size,
)
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.changes import BatchFaults, Capturing, Placing, Releasing
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.failures import corrupt
from tollkeeper.adapters.supabase.paging import in_pages
from tollkeeper.adapters.supabase.values import read_rows, time_text
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.ledger import Balance, Entry, Hold
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent


class SupabaseLedger:
    """Keeps each account's money in a project that any number of processes share.

    Each change is one function call, so one request and one transaction. Holds, captures and
    releases that are asked for while another such request is under way share the next one,
    unless the address says ``group=off``.
    """

    def __init__(self, connections: SupabaseConnections) -> None:
        self._connections = connections
        self._port = connections.port
        address, faults = connections.address, BatchFaults(connections.port)
        self._most = address.max_rows
        self._group = address.group
        self._placing, self._capturing = Placing(connections), Capturing(connections)
        self._releasing = Releasing(connections)
        wait = address.timeout
        self._places = Grouped(self._placing.one, self._placing.many, wait, faults)
        self._captures = Grouped(self._capturing.one, self._capturing.many, wait, faults)
        self._releases = Grouped(self._releasing.one, self._releasing.many, wait, faults)

    @property
    def requests(self) -> int:
        """How many requests the grouped changes took so far."""
        return self._places.requests + self._captures.requests + self._releases.requests

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
        rows = await settled(
            self._connections.call(
                "grant_credit",
                {
                    "p_account": account,
                    "p_currency": amount.currency,
                    "p_amount": amount.nanos,
                    "p_idempotency_key": idempotency_key,
                    "p_entry_id": entry_id,
                    "p_at": time_text(at),
                    "p_description": description,
                },
                effect=Effect.REPEATS,
            )
        )
        answers = read_rows(rows, granted, port=self._port)
        if len(answers) != 1:
            raise corrupt(self._port)
        return or_raise(answers[0])

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
        hold = Hold(hold_id, account, amount, idempotency_key, purpose, at, expires_at)
        if self._group:
            return await self._places.ask(hold)
        return await settled(self._placing.one(hold))

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
        capture = Capture(hold_id, amount, entry_id, aware(at), tuple(usage), tuple(attempts))
        if self._group:
            return await self._captures.ask(capture)
        return await settled(self._capturing.one(capture))

    async def release(
        self, *, hold_id: str, at: datetime, attempts: Sequence[Attempt] = ()
    ) -> Hold:
        """Give the whole hold back, and log *attempts*."""
        release = Release(hold_id, aware(at), tuple(attempts))
        if self._group:
            return await self._releases.ask(release)
        return await settled(self._releasing.one(release))

    async def expire(
        self, *, at: datetime, account: str | None = None, limit: int = 1000
    ) -> tuple[Hold, ...]:
        """Give back overdue holds, at most *limit*, and no more at once than a project returns."""
        rows = await settled(
            self._connections.call(
                "expire_holds",
                {
                    "p_at": time_text(at),
                    "p_account": account,
                    "p_limit": min(page_size(limit), self._most),
                },
                # Asked again it would not tell of the holds that it expired the first time.
                effect=Effect.CHANGES,
            )
        )
        return tuple(read_rows(rows, hold_from_row, port=self._port))

    async def balance(self, *, account: str, currency: str) -> Balance:
        """Return the account's balance in *currency*."""
        rows = await self._connections.call(
            "balance_of", {"p_account": account, "p_currency": currency}, effect=Effect.READS
        )
        balances = read_rows(
            rows, lambda row: balance_from_row(account, currency, row), port=self._port
        )
        return balances[0] if balances else balance_from_row(account, currency, None)

    async def entries(
        self, *, account: str, currency: str, after: int = 0, limit: int = 100
    ) -> tuple[Entry, ...]:
        """Return entries in order of ``sequence``, those above *after*."""

        async def ask(after: int, limit: int) -> list[Entry]:
            rows = await self._connections.call(
                "entries_of",
                {
                    "p_account": account,
                    "p_currency": currency,
                    "p_after": after,
                    "p_limit": limit,
                },
                effect=Effect.READS,
            )
            return read_rows(rows, entry_from_row, port=self._port)

        return await in_pages(
            ask, limit=limit, most=self._most, after=after, key=lambda entry: entry.sequence
        )
