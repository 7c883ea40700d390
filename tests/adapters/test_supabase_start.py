"""A project that cannot serve is said at the start, with the remedy; one that is down is not."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import tollkeeper.infra
from tests.adapters.supabase_projects import project
from tests.servers.postgres import run_sql
from tests.servers.postgrest import PostgrestServer, postgrest_server
from tests.servers.postgrest_database import project_database
from tests.servers.postgrest_keys import Keys
from tollkeeper.adapters.supabase.schema import NEEDED
from tollkeeper.adapters.supabase.store import SupabaseStore
from tollkeeper.domain.errors import ConfigurationError, PortError, Unavailable

pytestmark = pytest.mark.anyio
__all__ = ["project"]


@pytest.fixture
def own_project() -> Iterator[PostgrestServer]:
    """A project that the test may damage."""
    with project_database() as database, postgrest_server(database) as server:
        yield server


@pytest.fixture
def database() -> Iterator[str]:
    """The database of a project in which nothing of ours is."""
    with project_database(migrated=False) as url:
        yield url


async def refused(url: str) -> ConfigurationError:
    """Return the error of opening a store at *url*, which leaves nothing open."""
    store = SupabaseStore.from_url(url)
    with pytest.raises(ConfigurationError) as caught:
        await store.__aenter__()
    with pytest.raises(PortError):
        await store.plan_store.plans()
    return caught.value


async def test_health_tells_the_versions_and_the_pool(project: PostgrestServer) -> None:
    for key in (project.keys.service, project.keys.secret):
        async with SupabaseStore.from_url(project.store_url(key=key)) as store:
            said = await store.health()
            assert said.startswith("Supabase on PostgreSQL ")
            assert f"schema {NEEDED}" in said
            assert "requests 0 under way, at most 10" in said


def test_the_newest_migration_is_the_one_that_is_needed() -> None:
    folder = Path(next(iter(tollkeeper.infra.__path__))) / "migrations"
    assert max(path.name for path in folder.glob("*.sql")).startswith(NEEDED)


@pytest.mark.parametrize("key", ["sb_secret_of_another", Keys("another").service])
async def test_a_wrong_key_is_an_error_at_the_start(project: PostgrestServer, key: str) -> None:
    error = await refused(project.store_url(key=key))
    assert error.code == "key_refused"
    assert "of this very project" in error.public_message
    assert key not in f"{error!r} {error.__cause__!r}"


async def test_a_key_that_the_project_takes_for_another_roles_is_an_error(
    project: PostgrestServer,
) -> None:
    # What a gateway that maps the key to nobody does: the request comes in as anon.
    with postgrest_server(project.database, keys=Downgrading()) as downgrading:
        error = await refused(downgrading.store_url())
    assert error.code == "grants_missing"
    await run_sql(project.database, "GRANT USAGE ON SCHEMA tollkeeper TO anon")
    await run_sql(project.database, "GRANT EXECUTE ON FUNCTION tollkeeper.describe_schema TO anon")
    try:
        with postgrest_server(project.database, keys=Downgrading()) as downgrading:
            error = await refused(downgrading.store_url())
    finally:
        await run_sql(
            project.database, "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tollkeeper FROM anon"
        )
        await run_sql(project.database, "REVOKE USAGE ON SCHEMA tollkeeper FROM anon")
    assert error.code == "key_not_service"


class Downgrading(Keys):
    """Takes the key of the service, and lets its bearer in as anon."""

    def claims_of(self, headers: object) -> dict[str, object]:
        return {"role": "anon"}


async def test_a_missing_schema_is_an_error_that_names_the_remedy(database: str) -> None:
    # PostgREST itself does not start while an exposed schema is missing.
    await run_sql(database, "CREATE SCHEMA tollkeeper")
    await run_sql(database, "GRANT USAGE ON SCHEMA tollkeeper TO service_role")
    with postgrest_server(database) as server:
        error = await refused(server.store_url())
    assert error.code == "schema_missing"
    assert "tollkeeper migrate --grant-to service_role" in error.public_message


async def test_a_schema_that_is_not_exposed_is_an_error(project: PostgrestServer) -> None:
    with postgrest_server(project.database, schemas=("public",)) as server:
        error = await refused(server.store_url())
    assert error.code == "schema_not_exposed"
    assert "Exposed schemas" in error.public_message


async def test_grants_that_are_missing_are_an_error(own_project: PostgrestServer) -> None:
    revoke = "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tollkeeper FROM service_role"
    await run_sql(own_project.database, revoke)
    error = await refused(own_project.store_url())
    assert error.code == "grants_missing"
    assert "--grant-to service_role" in error.public_message


@pytest.mark.parametrize(
    ("version", "code"), [("0003", "schema_missing"), ("9999", "schema_newer")]
)
async def test_an_old_and_a_newer_schema_are_errors(
    own_project: PostgrestServer, version: str, code: str
) -> None:
    change = f"UPDATE tollkeeper.schema_version SET version_num = '{version}'"
    await run_sql(own_project.database, change)
    error = await refused(own_project.store_url())
    assert error.code == code
    assert version in error.public_message


async def test_a_project_that_is_down_is_an_error_of_the_first_operation(
    project: PostgrestServer,
) -> None:
    with postgrest_server(project.database) as server:
        url, port = server.store_url(options="timeout=1"), server.port
    async with SupabaseStore.from_url(url) as store:
        with pytest.raises(Unavailable):
            await store.plan_store.plans()
        with pytest.raises(Unavailable):
            await store.health()
        with postgrest_server(project.database, port=port):
            await until_it_is_back(store)


async def until_it_is_back(store: SupabaseStore) -> None:
    """Ask until the breaker lets somebody through."""
    async with asyncio.timeout(10):
        while True:
            try:
                assert await store.plan_store.plans() == ()
                return
            except Unavailable:
                await asyncio.sleep(0.05)
