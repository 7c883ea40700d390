"""On a real server too, what is wrong with one request in a statement is nobody else's trouble."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from tests.adapters.postgres_charges import CENT, HELD, NOW, Charges, capture, grant, place
from tests.adapters.postgres_databases import OnPostgres, postgres_url
from tests.servers.postgres import migrated_database, run_sql
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.ledger import PostgresLedger
from tollkeeper.contracts.samples import a_usage_event, new_id
from tollkeeper.domain.errors import (
    Conflict,
    IdempotencyConflict,
    InsufficientCredit,
    InvalidRequest,
    NotFound,
)
from tollkeeper.domain.ledger import Entry, Hold, HoldState

__all__ = ["postgres_url"]
pytestmark = pytest.mark.anyio


class TestInOneStatement(OnPostgres):
    """What is asked for in the same turn of the event loop shares a statement."""

    @pytest.fixture
    async def ledger(self, connections: PostgresConnections) -> PostgresLedger:
        return PostgresLedger(connections)

    @pytest.fixture
    async def account(self, ledger: PostgresLedger) -> str:
        account = new_id("account")
        await grant(ledger, account=account)
        return account

    @pytest.fixture
    async def holds(self, ledger: PostgresLedger, account: str) -> list[Hold]:
        placing = (place(ledger, f"key {n}", account=account) for n in range(9))
        return list(await asyncio.gather(*placing))

    async def test_a_hold_that_cannot_be_stored_fails_alone(
        self, ledger: PostgresLedger, account: str
    ) -> None:
        before = ledger.statements
        # The server refuses the one, and the client cannot even write the other.
        keys = [{5: "a\0b", 8: "\ud800"}.get(n, f"key {n}") for n in range(11)]
        answers = await asyncio.gather(
            *(place(ledger, key, account=account) for key in keys), return_exceptions=True
        )
        failed = {n for n, answer in enumerate(answers) if isinstance(answer, InvalidRequest)}
        assert failed == {5, 8}
        assert [a.idempotency_key for a in answers if isinstance(a, Hold)] == [
            key for n, key in enumerate(keys) if n not in failed
        ]
        balance = await ledger.balance(account=account, currency="USD")
        assert balance.held.nanos == 9 * HELD.nanos
        assert ledger.statements - before <= 1 + 2 * 2 * 4

    async def test_a_hold_without_credit_fails_alone(
        self, ledger: PostgresLedger, account: str
    ) -> None:
        poor = new_id("account")
        await grant(ledger, CENT, poor)
        before = ledger.statements
        accounts = [account, account, poor, account, poor, account, "nobody's"]
        answers = await asyncio.gather(
            *(place(ledger, f"key {n}", CENT, whose) for n, whose in enumerate(accounts)),
            return_exceptions=True,
        )
        refused = {n for n, answer in enumerate(answers) if isinstance(answer, InsufficientCredit)}
        assert refused == {4, 6}, "who came first has it"
        assert ledger.statements - before == 1

    async def test_a_capture_whose_id_is_taken_fails_alone(
        self, ledger: PostgresLedger, holds: list[Hold], account: str
    ) -> None:
        other = await capture(ledger, holds.pop())
        before = ledger.statements

        def captured(hold: Hold, entry_id: str, event_id: str) -> asyncio.Task[Entry]:
            event = a_usage_event(account, at=NOW, id=event_id)
            usage = ledger.capture(
                hold_id=hold.id, amount=CENT, usage=[event], entry_id=entry_id, at=NOW
            )
            return asyncio.create_task(usage)

        ids = {n: (new_id("entry"), new_id("event")) for n in range(8)}
        ids[3] = (other.id, new_id("event"))
        ids[5] = (new_id("entry"), f"of {other.hold_id}")
        answers = await asyncio.gather(
            *(captured(hold, *ids[n]) for n, hold in enumerate(holds)), return_exceptions=True
        )
        assert {n: type(a) for n, a in enumerate(answers) if not isinstance(a, Entry)} == {
            3: Conflict,
            5: IdempotencyConflict,
        }
        assert ledger.statements - before == 1
        balance = await ledger.balance(account=account, currency="USD")
        assert balance.held.nanos == 2 * HELD.nanos
        assert balance.sequence == 1 + 7

    async def test_a_release_of_no_hold_or_of_a_captured_one_fails_alone(
        self, ledger: PostgresLedger, holds: list[Hold]
    ) -> None:
        await capture(ledger, holds[4])
        before = ledger.statements
        ids = [hold.id for hold in holds[:6]] + ["unknown"] + [hold.id for hold in holds[6:]]
        answers = await asyncio.gather(
            *(ledger.release(hold_id=hold_id, at=NOW) for hold_id in ids), return_exceptions=True
        )
        assert {n: type(a) for n, a in enumerate(answers) if not isinstance(a, Hold)} == {
            4: Conflict,
            6: NotFound,
        }
        assert {a.state for a in answers if isinstance(a, Hold)} == {HoldState.RELEASED}
        assert ledger.statements - before == 1

    async def test_a_deadlock_that_others_make_is_nobodys_error(
        self, ledger: PostgresLedger, postgres_url: str
    ) -> None:
        """The batch is what the server ends, and is asked again."""
        first, second = sorted(new_id("account") for _ in range(2))
        for account in (first, second):
            await grant(ledger, account=account)
        lock = "SELECT 1 FROM tollkeeper.balances WHERE account = $1 FOR UPDATE"
        other = await asyncpg.connect(postgres_url)
        try:
            await other.execute("SET deadlock_timeout = '30s'")
            async with other.transaction():
                await other.execute(lock, second)
                asked = [
                    asyncio.create_task(place(ledger, f"key {n}", account=account))
                    for n in range(5)
                    for account in (first, second)
                ]
                await asyncio.sleep(0.2)
                await other.execute(lock, first)
            assert all(isinstance(hold, Hold) for hold in await asyncio.gather(*asked))
        finally:
            await other.close()


@pytest.fixture
def strict_database() -> Iterator[str]:
    """A database whose transactions are serializable, unless they say otherwise."""
    with migrated_database() as url:
        name = url.rpartition("/")[2]
        strict = "SET default_transaction_isolation = 'serializable'"
        asyncio.run(run_sql(url, f'ALTER DATABASE "{name}" {strict}'))
        yield url


@pytest.fixture
async def two_ledgers(strict_database: str) -> AsyncIterator[list[PostgresLedger]]:
    async with (
        PostgresConnections.from_url(f"{strict_database}?pool_size=3") as one,
        PostgresConnections.from_url(f"{strict_database}?pool_size=3") as other,
    ):
        yield [PostgresLedger(one), PostgresLedger(other)]


async def test_transactions_that_cannot_be_serialized_are_asked_again(
    two_ledgers: list[PostgresLedger], strict_database: str
) -> None:
    both = [Charges(ledger) for ledger in two_ledgers]
    for charges in both:
        await charges.start(8)
    await asyncio.gather(*(charges.progress(150) for charges in both))
    for charges in both:
        await charges.finish()
    both[0].acknowledged.update(both[1].acknowledged)
    await both[0].reckon(strict_database)
