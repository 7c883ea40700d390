"""Migrations at once, halfway, from an older schema and from a newer one, on a real server."""

import asyncio
import json
import signal
from collections.abc import Iterator
from secrets import token_hex

import asyncpg
import pytest

from tests.infra.cli_runs import Cli
from tests.servers.pooler import transaction_pooler
from tests.servers.postgres import PostgresServer, empty_database, own_postgres, run_sql
from tollkeeper import Settings, open_tollkeeper
from tollkeeper.adapters.postgres.attempt_log import PostgresAttemptLog
from tollkeeper.adapters.postgres.audit_log import PostgresAuditLog
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.key_store import PostgresKeyStore
from tollkeeper.adapters.postgres.ledger import PostgresLedger
from tollkeeper.adapters.postgres.outbox import PostgresOutbox
from tollkeeper.adapters.postgres.plan_store import PostgresPlanStore
from tollkeeper.adapters.postgres.schema import MIGRATIONS, health_of
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.adapters.postgres.usage_log import PostgresUsageLog
from tollkeeper.domain.errors import ConfigurationError, Rejected, TollkeeperError, Unavailable
from tollkeeper.domain.outbox import DeliveryState
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.schema_versions import SchemaState, lock_of, migrate, sql_of, state_of

pytestmark = pytest.mark.anyio

ALL = tuple(MIGRATIONS)
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'
"""
OURS = "SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace('tollkeeper')"


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of a database with nothing in it."""
    with empty_database() as url:
        yield url


async def ask(url: str, sql: str) -> list[object]:
    """Return the first column of the rows."""
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def make_old(url: str, migrations: tuple[str, ...]) -> None:
    """Bring a database to where *migrations* brought it, as an earlier version did."""
    await run_sql(
        url,
        "CREATE SCHEMA tollkeeper; SET search_path TO tollkeeper, pg_temp; "
        "CREATE TABLE schema_version (version_num varchar(32) NOT NULL PRIMARY KEY);"
        f"INSERT INTO schema_version VALUES ('{migrations[-1].partition('_')[0]}');"
        + "\n".join(sql_of(name) for name in migrations),
    )


async def until_waiting(connection: "asyncpg.Connection", processes: int) -> None:
    """Wait until so many processes wait for the lock."""
    async with asyncio.timeout(60):
        while await connection.fetchval(WAITING) < processes:
            await asyncio.sleep(0.05)


async def test_of_many_who_migrate_at_once_one_applies(database: str) -> None:
    states = await asyncio.gather(*(migrate(database) for _ in range(6)))
    assert sorted(states, key=lambda state: state.applied) == [
        *[SchemaState(present=ALL)] * 5,
        SchemaState(applied=ALL),
    ]
    assert await state_of(database) == SchemaState(present=ALL)


async def test_of_many_who_migrate_through_a_pooler_one_applies(database: str) -> None:
    async with transaction_pooler(database, size=3) as pooler:
        url = pooler.through("pooler=transaction")
        states = await asyncio.gather(*(migrate(url) for _ in range(3)))
        assert await state_of(url) == SchemaState(present=ALL)
        async with PostgresStore.from_url(url) as store:
            assert await store.plan_store.plans() == ()
        assert pooler.named == 0
    assert sorted(len(state.applied) for state in states) == [0, 0, len(ALL)]


@pytest.mark.soak
async def test_of_processes_that_migrate_at_once_one_applies(cli: Cli, database: str) -> None:
    lock = await asyncpg.connect(database)
    await lock.execute(f"SELECT pg_advisory_lock({lock_of('tollkeeper')})")
    processes = [
        cli.start("migrate", "--json", "--url-env", "DATABASE", DATABASE=database) for _ in range(4)
    ]
    try:
        await until_waiting(lock, len(processes))
        assert await ask(database, OURS) == []
        await lock.execute(f"SELECT pg_advisory_unlock({lock_of('tollkeeper')})")
        ended = [await asyncio.to_thread(process.communicate, None, 60) for process in processes]
    finally:
        for process in processes:
            process.kill()
        await lock.close()
    assert [process.returncode for process in processes] == [0] * 4, ended
    documents = [json.loads(out) for out, _ in ended]
    assert sorted(len(document["applied"]) for document in documents) == [0, 0, 0, len(ALL)]
    assert sorted(len(document["present"]) for document in documents) == [0] + [len(ALL)] * 3


async def test_a_process_that_is_stopped_leaves_nothing_behind(cli: Cli, database: str) -> None:
    blocker = await asyncpg.connect(database)
    await make_old(database, ALL[:1])
    # Whoever changes the table waits for this one, in the middle of a later migration.
    await blocker.execute("BEGIN; LOCK TABLE tollkeeper.usage_events IN ACCESS EXCLUSIVE MODE")
    process = cli.start("migrate", "--url-env", "DATABASE", DATABASE=database)
    try:
        blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        async with asyncio.timeout(60):
            while await blocker.fetchval(blocked) == 0:
                await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, said = await asyncio.to_thread(process.communicate, None, 60)
    finally:
        process.kill()
        await blocker.execute("ROLLBACK")
        await blocker.close()
    assert (process.returncode, said.splitlines()[-1]) == (143, "error: terminated")
    assert "api_keys" not in await ask(database, OURS)
    assert await state_of(database) == SchemaState(present=ALL[:1], missing=ALL[1:])
    assert (await migrate(database)).applied == ALL[1:]


async def test_a_migration_that_fails_leaves_nothing(database: str) -> None:
    # Something of that name is there already, so the second migration fails.
    await run_sql(database, "CREATE SCHEMA tollkeeper; CREATE TABLE tollkeeper.plans ()")
    begun: list[str] = []
    with pytest.raises(Rejected) as caught:
        await migrate(database, on_step=begun.append)
    assert begun == list(ALL[:2])
    assert caught.value.ambiguous is False
    assert await ask(database, OURS) == ["plans"]
    assert await state_of(database) == SchemaState(missing=ALL)


async def test_a_schema_that_a_newer_version_made_is_refused(database: str) -> None:
    await migrate(database)
    await run_sql(database, "UPDATE tollkeeper.schema_version SET version_num = '9999'")
    before = await ask(database, OURS)
    for step in (migrate(database), state_of(database)):
        with pytest.raises(ConfigurationError, match="upgrade Tollkeeper") as caught:
            await step
        assert caught.value.code == "schema_newer"
    assert await ask(database, OURS) == before
    with pytest.raises(ConfigurationError, match="upgrade Tollkeeper"):
        await PostgresStore.from_url(database).__aenter__()
    async with PostgresConnections.from_url(database) as connections:
        with pytest.raises(ConfigurationError, match="upgrade Tollkeeper"):
            await health_of(connections)


async def test_an_older_schema_keeps_what_is_in_it(database: str) -> None:
    await make_old(database, ALL[:2])
    await run_sql(
        database,
        "INSERT INTO tollkeeper.balances (account, currency, posted) VALUES ('acme', 'USD', 7)",
    )
    assert await state_of(database) == SchemaState(present=ALL[:2], missing=ALL[2:])
    state = await migrate(database)
    assert state == SchemaState(present=ALL[:2], applied=ALL[2:])
    assert state.version == ALL[-1].partition("_")[0]
    async with PostgresStore.from_url(database) as store:
        balance = await store.ledger.balance(account="acme", currency="USD")
        assert balance.posted.nanos == 7


async def test_two_schemas_stand_beside_each_other(database: str) -> None:
    await migrate(database)
    await migrate(f"{database}?schema=other")
    assert await state_of(f"{database}?schema=other") == SchemaState(present=ALL)
    await run_sql(database, "DROP SCHEMA tollkeeper CASCADE")
    assert await state_of(database) == SchemaState(missing=ALL)
    async with PostgresStore.from_url(f"{database}?schema=other") as store:
        assert "connections" in await store.health()


async def test_a_store_without_its_schema_names_the_remedy(database: str) -> None:
    with pytest.raises(ConfigurationError) as opening:
        await PostgresStore.from_url(database).__aenter__()
    assert str(opening.value) == (
        "store: the database has no Tollkeeper schema; missing: "
        f"{', '.join(ALL)}; run: tollkeeper migrate"
    )
    faults: list[TollkeeperError] = [opening.value]
    async with PostgresConnections.from_url(database) as connections:
        for step in (
            health_of(connections),
            PostgresKeyStore(connections).find("kid"),
            PostgresLedger(connections).balance(account="acme", currency="USD"),
            PostgresUsageLog(connections).events(account="acme"),
            PostgresPlanStore(connections).plans(),
            PostgresAuditLog(connections).entries(account="acme"),
            PostgresAttemptLog(connections).attempts(account="acme"),
            PostgresOutbox(connections).messages(state=DeliveryState.DEAD),
        ):
            with pytest.raises(ConfigurationError) as caught:
                await step
            faults.append(caught.value)
    assert {fault.code for fault in faults} == {"schema_missing"}
    assert all("run: tollkeeper migrate" in str(fault) for fault in faults)


@pytest.mark.parametrize("last", range(1, len(ALL)))
async def test_a_store_says_which_migrations_it_lacks(database: str, last: int) -> None:
    await make_old(database, ALL[:last])
    number = ALL[last - 1].partition("_")[0]
    store = PostgresStore.from_url(database)
    with pytest.raises(ConfigurationError) as caught:
        await store.__aenter__()
    assert caught.value.code == "schema_missing"
    assert str(caught.value) == (
        f"store: the database is at schema {number}; missing: {', '.join(ALL[last:])}; "
        "run: tollkeeper migrate"
    )
    await migrate(database)
    async with store:  # the very same, for nothing of the first opening is left
        assert f"schema {ALL[-1].partition('_')[0]}" in await store.health()


async def test_a_facade_does_not_start_without_its_schema(database: str) -> None:
    with pytest.raises(ConfigurationError, match="run: tollkeeper migrate"):
        async with open_tollkeeper(Settings(store=database, key_pepper=Secret(token_hex(32)))):
            pytest.fail("it started")  # pragma: no cover


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server that a test may stop, with the whole schema in its only database."""
    with own_postgres() as server:
        asyncio.run(migrate(server.url))
        yield server


async def test_a_store_opens_once_its_database_is_there(server: PostgresServer) -> None:
    await asyncio.to_thread(server.stop)
    store = PostgresStore.from_url(f"{server.url}?timeout=2")
    with pytest.raises(Unavailable, match="cannot be reached"):
        await store.__aenter__()
    await asyncio.to_thread(server.start)
    async with store:
        assert await store.plan_store.plans() == ()
