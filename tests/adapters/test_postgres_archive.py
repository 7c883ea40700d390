"""Usage of months that are over, moved into the archive by month: nobody sees a difference."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.adapters.postgres_databases import OnPostgres
from tests.adapters.postgres_ledgers import BatchedLedger
from tests.servers.postgres import migrated_database
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.ledger import PostgresLedger
from tollkeeper.adapters.postgres.usage_log import PostgresUsageLog
from tollkeeper.contracts.ledger_captures import LedgerCaptures
from tollkeeper.contracts.samples import a_usage_event, new_id
from tollkeeper.contracts.usage_log import UsageLogContract
from tollkeeper.domain.errors import IdempotencyConflict
from tollkeeper.domain.ledger import Entry
from tollkeeper.domain.usage import UsageEvent

MONTH = datetime(2001, 1, 1, tzinfo=UTC)
ARCHIVE = "SELECT tollkeeper.archive_usage($1, $2)"
COUNTS = """
SELECT (SELECT count(*) FROM tollkeeper.usage_events WHERE account = $1),
    (SELECT count(*) FROM tollkeeper.usage_archive WHERE account = $1)
"""


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    """A database of this file alone, for all that is in it is moved about."""
    with migrated_database() as url:
        yield url


@pytest.fixture
async def owner(postgres_url: str) -> AsyncIterator["asyncpg.Connection"]:
    owner = await asyncpg.connect(postgres_url)
    yield owner
    await owner.close()


async def archive(connections: PostgresConnections) -> None:
    """Move all that the suites write: their clock stands in the first months of 2001."""
    for month in (12, 1, 2):
        begins = MONTH.replace(year=2000 if month == 12 else 2001, month=month)
        while (await connections.fetch(ARCHIVE, begins, 1000))[0][0]:
            pass


class Archived(PostgresUsageLog):
    """Moves each event into the archive as soon as it is there."""

    async def record(self, events: Sequence[UsageEvent]) -> None:
        await super().record(events)
        await archive(self._connections)


class CapturesArchived(PostgresLedger):
    """Moves what a capture logged."""

    async def capture(self, **asked: Any) -> Entry:
        entry = await super().capture(**asked)
        await archive(self._connections)
        return entry


class BatchedCapturesArchived(CapturesArchived, BatchedLedger):
    """The same, by the functions for many."""


class TestPostgresUsageLogInTheArchive(OnPostgres, UsageLogContract):
    @pytest.fixture
    def usage_log(self, connections: PostgresConnections) -> PostgresUsageLog:
        return Archived(connections)

    @pytest.fixture
    def ledger(self, connections: PostgresConnections) -> PostgresLedger:
        return CapturesArchived(connections)


class TestPostgresCapturesInTheArchive(OnPostgres, LedgerCaptures):
    @pytest.fixture
    def ledger(self, connections: PostgresConnections) -> PostgresLedger:
        return CapturesArchived(connections)

    @pytest.fixture
    def usage_log(self, connections: PostgresConnections) -> PostgresUsageLog:
        return PostgresUsageLog(connections)


class TestPostgresBatchedCapturesInTheArchive(OnPostgres, LedgerCaptures):
    @pytest.fixture
    def ledger(self, connections: PostgresConnections) -> PostgresLedger:
        return BatchedCapturesArchived(connections)

    @pytest.fixture
    def usage_log(self, connections: PostgresConnections) -> PostgresUsageLog:
        return PostgresUsageLog(connections)


@pytest.mark.anyio
async def test_a_month_is_moved_whole_and_no_other(
    postgres_url: str, owner: "asyncpg.Connection"
) -> None:
    account = new_id("account")
    february = MONTH.replace(month=2)
    times = [MONTH - timedelta(microseconds=1), MONTH, february - timedelta(microseconds=1)]
    events = [a_usage_event(account, at=at) for at in (*times, february)]
    async with PostgresConnections.from_url(postgres_url) as connections:
        usage_log = PostgresUsageLog(connections)
        await usage_log.record(events)
        before = (await usage_log.events(account=account), await usage_log.totals(account=account))
        await archive_all(owner, MONTH)
        assert tuple(await owner.fetchrow(COUNTS, account)) == (2, 2)
        after = (await usage_log.events(account=account), await usage_log.totals(account=account))
        assert after == before
        await usage_log.record(events)  # again: they are known, wherever they are
        other = a_usage_event(account, at=MONTH, id=events[1].id, quantity=99)
        with pytest.raises(IdempotencyConflict):
            await usage_log.record([other])
        assert await usage_log.totals(account=account) == before[1]


async def archive_all(owner: "asyncpg.Connection", month: datetime) -> None:
    """Move a month, whatever is there."""
    while await owner.fetchval(ARCHIVE, month, 7):
        pass


@pytest.mark.anyio
async def test_nothing_is_lost_or_doubled_while_a_month_is_moved(
    postgres_url: str, owner: "asyncpg.Connection"
) -> None:
    account = new_id("account")
    other_owner = await asyncpg.connect(postgres_url)
    events = [a_usage_event(account, at=MONTH + timedelta(minutes=n)) for n in range(200)]
    async with PostgresConnections.from_url(postgres_url) as connections:
        usage_log = PostgresUsageLog(connections)
        moving = True

        async def move(by: "asyncpg.Connection") -> None:
            while moving:
                await by.fetchval(ARCHIVE, MONTH, 5)

        movers = [asyncio.ensure_future(move(each)) for each in (owner, other_owner)]
        seen = 0
        for start in range(0, 200, 10):
            await usage_log.record(events[start : start + 10])
            found = await usage_log.events(account=account, limit=1000)
            seen += 10
            assert found == tuple(events[:seen])
        moving = False
        await asyncio.gather(*movers)
    here, there = await owner.fetchrow(COUNTS, account)
    assert here + there == 200
    assert there > 0
    await other_owner.close()


@pytest.mark.anyio
async def test_who_reads_and_who_captures_waits_for_no_new_month(
    postgres_url: str, owner: "asyncpg.Connection"
) -> None:
    reader, month = await asyncpg.connect(postgres_url), MONTH.replace(year=1998)
    try:
        await reader.execute("BEGIN; SELECT tollkeeper.usage_totals('anyone', NULL, NULL)")
        async with asyncio.timeout(5):
            await archive_all(owner, month)
        await owner.execute("BEGIN")
        await owner.fetchval(ARCHIVE, month.replace(month=2), 7)
        async with asyncio.timeout(5):
            await reader.execute("SELECT tollkeeper.usage_totals('anyone', NULL, NULL)")
            await reader.execute(
                "SELECT tollkeeper.capture_hold('none', 0, 'USD', 'none', now(), '[]', '[]')"
            )
        await owner.execute("COMMIT")
    finally:
        await reader.close()


@pytest.mark.anyio
async def test_the_archive_is_append_only_too_and_a_month_may_be_detached(
    postgres_url: str, owner: "asyncpg.Connection"
) -> None:
    account, month = new_id("account"), MONTH.replace(year=1999)
    async with PostgresConnections.from_url(postgres_url) as connections:
        usage_log = PostgresUsageLog(connections)
        await usage_log.record([a_usage_event(account, at=month)])
        await archive_all(owner, month)
        for table in ("usage_events", "usage_archive", "usage_archive_1999_01"):
            for change in (f"DELETE FROM tollkeeper.{table}", f"TRUNCATE tollkeeper.{table}"):
                with pytest.raises(asyncpg.RaiseError, match="append-only"):
                    await owner.execute(change)
        await owner.execute(
            "ALTER TABLE tollkeeper.usage_archive DETACH PARTITION tollkeeper.usage_archive_1999_01"
        )
        assert await usage_log.events(account=account) == ()
        await owner.execute("DROP TABLE tollkeeper.usage_archive_1999_01")


@pytest.mark.anyio
async def test_a_month_begins_at_midnight_in_utc(owner: "asyncpg.Connection") -> None:
    await owner.execute("SET timezone = 'Asia/Tokyo'")
    for wrong in (MONTH + timedelta(hours=1), MONTH - timedelta(hours=9), MONTH.replace(day=2)):
        with pytest.raises(asyncpg.PostgresError, match="first day, in UTC"):
            await owner.fetchval(ARCHIVE, wrong, 1)
    await archive_all(owner, MONTH)


@pytest.mark.anyio
async def test_only_the_owner_moves_a_month(owner: "asyncpg.Connection") -> None:
    callable_by_all = await owner.fetchval(
        "SELECT prosecdef OR has_function_privilege('pg_monitor', oid, 'EXECUTE') "
        "FROM pg_proc WHERE oid = 'tollkeeper.archive_usage(timestamptz, bigint)'::regprocedure"
    )
    assert callable_by_all is False
