"""Behind a pooler in transaction mode nothing depends on meeting the same session again."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.adapters.postgres_charges import Charges, grant, place
from tests.adapters.postgres_databases import postgres_url
from tests.servers.pooler import TransactionPooler, transaction_pooler
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.ledger import PostgresLedger
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.errors import ConfigurationError

__all__ = ["postgres_url"]
pytestmark = pytest.mark.anyio


@pytest.fixture
async def pooler(postgres_url: str) -> AsyncIterator[TransactionPooler]:
    async with transaction_pooler(postgres_url, size=3) as pooler:
        yield pooler


async def test_callers_charge_through_a_pooler(
    pooler: TransactionPooler, postgres_url: str
) -> None:
    async with PostgresConnections.from_url(pooler.through("pooler=transaction")) as connections:
        charges = Charges(PostgresLedger(connections), new_id("account"))
        await charges.start(16)
        await charges.progress(300)
        await charges.finish()
    assert not charges.errors
    assert pooler.lent >= 20
    assert pooler.named == 0, "a prepared statement is of one session"
    await charges.reckon(postgres_url)


async def test_a_store_meets_another_session_at_each_use(pooler: TransactionPooler) -> None:
    url = pooler.through("pooler=transaction&pool_size=1")
    async with PostgresStore.from_url(url) as store:
        assert "PostgreSQL" in await store.health()
        account = new_id("account")
        await grant(store.ledger, account=account)
        for n in range(6):
            await place(store.ledger, f"key {n}", account=account)
        assert len(await store.ledger.entries(account=account, currency="USD")) == 1
        assert await store.usage_log.events(account=account) == ()
        assert await store.attempt_log.attempts(account=account) == ()
    assert pooler.named == 0


async def test_without_the_setting_a_pooler_refuses(pooler: TransactionPooler) -> None:
    with pytest.raises(ConfigurationError, match="pooler=transaction"):
        async with PostgresStore.from_url(pooler.through("timeout=2")) as store:
            await store.health()


async def test_a_client_that_keeps_statements_fails_behind_this_pooler(
    pooler: TransactionPooler,
) -> None:
    """So these tests can fail."""
    connection = await asyncpg.connect(pooler.through(""), ssl=False)
    try:
        assert await connection.fetchval("SELECT $1::int", 1) == 1
        with pytest.raises(asyncpg.InvalidSQLStatementNameError):
            await connection.fetchval("SELECT $1::int", 1)
        assert pooler.named == 1
    finally:
        await connection.close()
