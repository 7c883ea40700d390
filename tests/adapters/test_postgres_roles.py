"""Who may use the schema: the role of a server, and nobody's browser; with Supabase's roles."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.servers.postgres import empty_database, own_postgres, run_sql
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.key_store import PostgresKeyStore
from tollkeeper.adapters.postgres.ledger import PostgresLedger
from tollkeeper.adapters.postgres.outbox import PostgresOutbox
from tollkeeper.adapters.postgres.schema import health_of
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.contracts.samples import an_audit_entry
from tollkeeper.contracts.store import StoreContract
from tollkeeper.domain.errors import CredentialsRefused, InvalidRequest, NotFound
from tollkeeper.domain.money import Money
from tollkeeper.infra.schema_versions import migrate

# As on Supabase: one role for each kind of key; here they may also sign in themselves. And the
# worst that a database may give away by default, which is not known to be so there.
ROLES = """
CREATE ROLE anon LOGIN NOINHERIT;
CREATE ROLE authenticated LOGIN NOINHERIT;
CREATE ROLE service_role LOGIN NOINHERIT BYPASSRLS;
CREATE ROLE somebody LOGIN;
"""
GENEROUS = """
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO anon, authenticated;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO anon, authenticated;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO anon, authenticated;
"""
OUTSIDERS = ("anon", "authenticated", "somebody")
FUNCTIONS = """
SELECT p.oid::regprocedure::text FROM pg_proc AS p
WHERE p.pronamespace = 'tollkeeper'::regnamespace AND p.prosecdef = $2
    AND has_function_privilege($1, p.oid, 'EXECUTE')
"""
TABLES = """
SELECT c.oid::regclass::text FROM pg_class AS c
WHERE c.relnamespace = 'tollkeeper'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
    AND (has_table_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE'))
"""
INTERNAL = {
    *("append_audit", "append_captured_usage", "archive_usage", "grant_use", "lock_balance"),
    *("put_secrets", "refuse_change", "renew_grants", "lock_key", "lock_data_key"),
    *("lock_credential", "await_primary_turn", "require_unused", "share_data_key"),
    *("refuse_data_key", "refuse_twin"),
}
NOW = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A database of a server of its own, for roles belong to a server; service_role is let in."""
    with own_postgres() as server, empty_database(server.url) as url:
        asyncio.run(run_sql(url, ROLES, GENEROUS))
        asyncio.run(migrate(url, grant_to=["service_role"]))
        yield url


def as_role(url: str, role: str) -> str:
    """Return the URL for that role."""
    return url.replace("postgres@", f"{role}@")


async def ask(url: str, sql: str, *arguments: object) -> list[Any]:
    """Return the first column of the rows."""
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(sql, *arguments)]
    finally:
        await connection.close()


class TestPostgresStoreAsServiceRole(StoreContract):
    @pytest.fixture
    async def store(self, database: str) -> AsyncIterator[PostgresStore]:
        async with PostgresStore.from_url(as_role(database, "service_role")) as store:
            yield store


@pytest.mark.anyio
async def test_a_service_role_may_call_what_applications_call_and_touch_no_table(
    database: str,
) -> None:
    every = await ask(database, FUNCTIONS, "postgres", True)
    assert await ask(database, FUNCTIONS, "service_role", True) == every
    assert await ask(database, FUNCTIONS, "service_role", False) == []
    assert await ask(database, TABLES, "service_role") == ["tollkeeper.schema_version"]
    internal = await ask(database, FUNCTIONS, "postgres", False)
    assert {name.partition("(")[0].partition(".")[2] for name in internal} == INTERNAL
    async with PostgresStore.from_url(as_role(database, "service_role")) as store:
        assert "PostgreSQL" in await store.health()
        assert await store.outbox.claim(topic="none", at=NOW, lease=timedelta(minutes=1)) == ()


@pytest.mark.anyio
async def test_nobody_changes_an_audit_entry(database: str) -> None:
    """Neither the hosts' role nor the owner of the tables can (T24)."""
    entry = an_audit_entry("stays", at=NOW)
    async with PostgresStore.from_url(as_role(database, "service_role")) as store:
        await store.audit_log.append(entry)
        changes = (
            "UPDATE tollkeeper.audit_entries SET actor = 'nobody'",
            "DELETE FROM tollkeeper.audit_entries",
            "TRUNCATE tollkeeper.audit_entries",
        )
        for change in changes:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await ask(as_role(database, "service_role"), change)
            with pytest.raises(asyncpg.RaiseError, match="append-only"):
                await ask(database, change)
        document = "SELECT tollkeeper.append_audit('{}')"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ask(as_role(database, "service_role"), document)
        assert await store.audit_log.entries(account="stays") == (entry,)


@pytest.mark.anyio
@pytest.mark.parametrize("role", OUTSIDERS)
async def test_everybody_else_may_do_nothing(database: str, role: str) -> None:
    for callable_by_applications in (True, False):
        assert await ask(database, FUNCTIONS, role, callable_by_applications) == []
    assert await ask(database, TABLES, role) == []
    with pytest.raises(CredentialsRefused):
        await PostgresStore.from_url(as_role(database, role)).__aenter__()
    async with PostgresConnections.from_url(as_role(database, role)) as connections:
        ledger = PostgresLedger(connections)
        for step in (
            health_of(connections),
            ledger.grant(
                account="acme",
                amount=Money.of("1.00", "USD"),
                idempotency_key="mine",
                entry_id="mine",
                at=NOW,
            ),
            ledger.expire(at=NOW + timedelta(days=1)),
            PostgresKeyStore(connections).find("kid"),
            PostgresOutbox(connections).claim(topic="mail", at=NOW, lease=timedelta(minutes=1)),
        ):
            with pytest.raises(CredentialsRefused):
                await step


@pytest.mark.anyio
@pytest.mark.parametrize("role", ["anon", "authenticated"])
async def test_a_role_that_everybody_has_is_not_let_in(database: str, role: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await migrate(database, grant_to=[role])
    assert caught.value.code == "role_of_everybody"
    assert await ask(database, FUNCTIONS, role, True) == []


@pytest.mark.anyio
async def test_a_role_that_is_not_there_is_said(database: str) -> None:
    with pytest.raises(NotFound) as caught:
        await migrate(database, grant_to=['no"body'])
    assert caught.value.code == "role_not_found"


@pytest.mark.anyio
async def test_who_was_let_in_may_use_what_a_later_migration_adds(database: str) -> None:
    with_new = (
        "SET search_path TO tollkeeper, pg_temp;"
        "CREATE FUNCTION new_in_a_test() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';"
        "SELECT renew_grants()"
    )
    await run_sql(database, with_new)
    try:
        asked = "SELECT tollkeeper.new_in_a_test()"
        assert await ask(as_role(database, "service_role"), asked) == [1]
        for role in OUTSIDERS:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await ask(as_role(database, role), asked)
    finally:
        await run_sql(database, "DROP FUNCTION tollkeeper.new_in_a_test()")


@pytest.mark.anyio
async def test_the_owner_need_not_be_one_who_may_make_schemas(database: str) -> None:
    await run_sql(database, "CREATE SCHEMA of_somebody AUTHORIZATION somebody")
    url = as_role(database, "somebody") + "?schema=of_somebody"
    assert (await migrate(url)).applied
    async with PostgresStore.from_url(url) as store:
        assert await store.plan_store.plans() == ()
    with pytest.raises(CredentialsRefused):
        await migrate(as_role(database, "somebody") + "?schema=another")
