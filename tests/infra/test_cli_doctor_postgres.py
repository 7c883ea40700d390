"""`tollkeeper doctor` on a PostgreSQL store: which migration is missing, and what to do."""

import asyncio
import secrets
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra.cli_runs import Cli, Ran
from tests.servers.pooler import pooler_aside
from tests.servers.postgres import empty_database, run_sql
from tollkeeper.adapters.postgres.schema import MIGRATIONS
from tollkeeper.infra.schema_versions import migrate

PEPPER = secrets.token_hex(32)
LAST = MIGRATIONS[-1].partition("_")[0]


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of a database with nothing in it."""
    with empty_database() as url:
        yield url


def looked_at(cli: Cli, store: str) -> tuple[dict[str, Any], Ran]:
    """Return what is said of the store."""
    (cli.folder / "tollkeeper.toml").write_text("[local]\ntranscribers = {}\n")
    url = store.replace("postgres@", "postgres:hunter2@")
    ran = cli.here("doctor", "--json", TOLLKEEPER_STORE=url, TOLLKEEPER_KEY_PEPPER=PEPPER)
    assert "hunter2" not in ran.out + ran.err
    [part] = [part for part in ran.json()["parts"] if part["part"] == "store"]
    return part, ran


def test_a_database_without_the_schema_lacks_every_migration(cli: Cli, database: str) -> None:
    part, ran = looked_at(cli, database)
    assert (ran.code, part["status"]) == (1, "failed")
    assert part["says"] == (
        "store: the database has no Tollkeeper schema; missing: "
        f"{', '.join(MIGRATIONS)}; run: tollkeeper migrate"
    )


def test_an_old_schema_lacks_the_later_migrations(cli: Cli, database: str) -> None:
    asyncio.run(migrate(database))
    older = MIGRATIONS[-3].partition("_")[0]
    asyncio.run(run_sql(database, f"UPDATE tollkeeper.schema_version SET version_num = '{older}'"))
    part, ran = looked_at(cli, database)
    assert (ran.code, part["status"]) == (1, "failed")
    assert part["says"] == (
        f"store: the database is at schema {older}; missing: {', '.join(MIGRATIONS[-2:])}; "
        "run: tollkeeper migrate"
    )


def test_a_newer_schema_asks_for_a_newer_tollkeeper(cli: Cli, database: str) -> None:
    asyncio.run(migrate(database))
    asyncio.run(run_sql(database, "UPDATE tollkeeper.schema_version SET version_num = '9999'"))
    part, ran = looked_at(cli, database)
    assert (ran.code, part["status"]) == (1, "failed")
    assert f"(schema 9999; this one knows {LAST}); upgrade Tollkeeper" in part["says"]


def test_a_migrated_database_is_well(cli: Cli, database: str) -> None:
    asyncio.run(migrate(database))
    part, ran = looked_at(cli, database)
    assert (ran.code, part["status"]) == (0, "reachable"), ran.out
    assert f", schema {LAST}, connections " in part["says"]
    assert part["says"].startswith("PostgreSQL ")


def test_a_pooler_that_was_not_told_of_is_named(cli: Cli, database: str) -> None:
    asyncio.run(migrate(database))
    with pooler_aside(database) as pooler:
        part, ran = looked_at(cli, pooler.through(""))
        assert (ran.code, part["status"]) == (1, "failed")
        assert "add ?pooler=transaction to the URL" in part["says"]
        part, ran = looked_at(cli, pooler.through("pooler=transaction"))
        assert (ran.code, part["status"]) == (0, "reachable"), ran.out


def test_a_database_that_is_not_there_is_one_finding_of_many(cli: Cli) -> None:
    with socket.socket() as taken:  # bound and not listening: whoever connects is refused
        taken.bind(("127.0.0.1", 0))
        part, ran = looked_at(cli, f"postgresql://postgres@127.0.0.1:{taken.getsockname()[1]}/db")
    assert (ran.code, part["status"]) == (1, "failed")
    assert part["says"].startswith("the database cannot be reached")
    assert "see the setting store (TOLLKEEPER_STORE)" in part["says"]
    others = {each["status"] for each in ran.json()["parts"] if each["part"] != "store"}
    assert others <= {"reachable", "in process"}
