"""What was used, in SQLite."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.rows import FROM_THE_START, page_size, span
from tollkeeper.adapters.sqlite.usage_events import append_free, event_from_row
from tollkeeper.domain.errors import InvalidRequest, NotFound
from tollkeeper.domain.meters import Meter
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent, UsageTotal

_POSITION = "SELECT occurred_at FROM usage_events WHERE id = ? AND account = ?"
_PAGE = """
    SELECT id, account, key_id, call_id, operation, model, meter, quantity, provenance, cost,
        cost_currency, charge, charge_currency, price_id, occurred_at, attempt
    FROM usage_events
    WHERE account = ? AND occurred_at >= ? AND occurred_at < ? AND (occurred_at, id) > (?, ?)
    ORDER BY occurred_at, id LIMIT ?
"""
# SQLite's sum fails where it leaves 64 bits, and money is near enough to that: so the upper and
# the lower half of each number are summed by themselves, and put together here.
_TOTALS = """
    SELECT operation, model, meter, charge_currency, count(*),
        sum(quantity >> 32), sum(quantity & 4294967295),
        sum(CASE provenance WHEN 'estimated' THEN quantity >> 32 ELSE 0 END),
        sum(CASE provenance WHEN 'estimated' THEN quantity & 4294967295 ELSE 0 END),
        sum(charge >> 32), sum(charge & 4294967295)
    FROM usage_events WHERE account = ? AND occurred_at >= ? AND occurred_at < ?
    GROUP BY operation, model, meter, charge_currency
    ORDER BY operation, model, meter, charge_currency
"""


class SqliteUsageLog:
    """Keeps usage events in one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, events: Sequence[UsageEvent]) -> None:
        """Append *events* that charge nothing, all or none."""
        if any(event.charge for event in events):
            raise InvalidRequest("only a capture may record an event that charges something")
        new = tuple(events)
        await self._database.change(lambda connection: append_free(connection, new))

    async def events(
        self,
        *,
        account: str,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[UsageEvent, ...]:
        """Return the account's events in order of ``(occurred_at, id)``."""
        period = span(since, until)

        def read(connection: sqlite3.Connection) -> tuple[UsageEvent, ...]:
            position = (FROM_THE_START, "")
            if after is not None:
                found = connection.execute(_POSITION, (after, account)).fetchall()
                if not found:
                    raise NotFound("no such usage event", code="event_not_found")
                position = (found[0][0], after)
            asked = (account, *period, *position, page_size(limit))
            return tuple(map(event_from_row, connection.execute(_PAGE, asked).fetchall()))

        return await self._database.scan(read)

    async def totals(
        self, *, account: str, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[UsageTotal, ...]:
        """Sum the account's events by operation, model, meter and currency."""
        period = span(since, until)

        def read(connection: sqlite3.Connection) -> tuple[UsageTotal, ...]:
            return tuple(
                UsageTotal(
                    operation=operation,
                    model=model,
                    meter=Meter(meter),
                    events=count,
                    quantity=(quantity[0] << 32) + quantity[1],
                    estimated=(estimated[0] << 32) + estimated[1],
                    charge=Money((charge[0] << 32) + charge[1], currency),
                )
                for operation, model, meter, currency, count, quantity, estimated, charge in (
                    (*row[:5], row[5:7], row[7:9], row[9:11])
                    for row in connection.execute(_TOTALS, (account, *period)).fetchall()
                )
            )

        return await self._database.scan(read)
