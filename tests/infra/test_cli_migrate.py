"""`tollkeeper migrate`: the schema of a PostgreSQL store, on a real server."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.infra.cli_runs import Cli, refused, without
from tests.servers.postgres import empty_database, run_sql
from tollkeeper.adapters.postgres.schema import MIGRATIONS

OURS = "SELECT count(*)::int FROM pg_namespace WHERE nspname = 'tollkeeper'"


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of a database with nothing in it."""
    with empty_database() as url:
        yield url


def value(url: str, sql: str) -> object:
    """Ask one question."""

    async def ask() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(ask())


def with_password(url: str) -> str:
    """Add a password, which this server does not ask for."""
    return url.replace("postgres@", "postgres:hunter2@")


def test_what_is_missing_is_applied_once(cli: Cli, database: str) -> None:
    ran = cli.process("migrate", "--url-env", "DATABASE", DATABASE=with_password(database))
    assert ran.code == 0
    assert ran.err.splitlines() == [f"applying {name}" for name in MIGRATIONS]
    assert "hunter2" not in ran.out + ran.err
    table = [line.split() for line in ran.out.splitlines() if "applied" in line]
    assert table == [[name, "applied"] for name in MIGRATIONS]
    again = cli.here("migrate", "--url-env", "DATABASE", DATABASE=database)
    assert (again.code, again.err) == (0, "")
    assert "applied" not in again.out
    assert "nothing is missing" in again.out


def test_a_check_names_what_is_missing_and_changes_nothing(cli: Cli, database: str) -> None:
    ran = cli.here("migrate", "--check", "--url-env", "DATABASE", DATABASE=database)
    assert ran.code == 1
    assert ", ".join(MIGRATIONS) in ran.out
    assert "run: tollkeeper migrate" in ran.out
    assert value(database, OURS) == 0
    assert cli.here("migrate", "--url-env", "DATABASE", DATABASE=database).code == 0
    ran = cli.here("migrate", "--check", "--url-env", "DATABASE", DATABASE=database)
    assert ran.code == 0


def test_json_is_a_document(cli: Cli, database: str) -> None:
    last = MIGRATIONS[-1].partition("_")[0]
    names = list(MIGRATIONS)
    document: dict[str, object] = {
        "store": "postgresql",
        "version": None,
        **{name: [] for name in ("present", "applied", "missing", "granted_to")},
    }
    checked = cli.here("migrate", "--check", "--json", "--url-env", "DATABASE", DATABASE=database)
    assert checked.json() == {**document, "missing": names}
    ran = cli.here("migrate", "--json", "--url-env", "DATABASE", DATABASE=database)
    assert ran.json() == {**document, "version": last, "applied": names}
    ran = cli.here("migrate", "--json", "--url-env", "DATABASE", DATABASE=database)
    assert ran.json() == {**document, "version": last, "present": names}


@pytest.mark.parametrize("store", ["memory://", "sqlite:///a.db"])
def test_a_store_without_migrations_is_well(cli: Cli, store: str) -> None:
    ran = cli.here("migrate", TOLLKEEPER_STORE=store)
    assert ran.code == 0
    assert ran.out.startswith("nothing to migrate")
    document = cli.here("migrate", "--check", "--json", TOLLKEEPER_STORE=store).json()
    assert document["store"] == store.partition(":")[0]
    assert document["missing"] == []
    refused(cli.here("migrate", "--grant-to", "x", TOLLKEEPER_STORE=store), 2, "--grant-to")
    assert list(cli.folder.iterdir()) == []


def test_the_url_may_stand_in_a_file_or_come_from_a_pipe(cli: Cli, database: str) -> None:
    (cli.folder / "url").write_text(with_password(database) + "\n")
    ran = cli.here("migrate", "--url-file", "url")
    assert ran.code == 0
    assert "hunter2" not in ran.out + ran.err
    ran = cli.here("migrate", "--check", "--url-file", "-", stdin=database)
    assert ran.code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--url-env", "GONE"), "the variable GONE holds nothing"),
        (("--url-env", "NONE"), "the variable NONE holds no URL"),
        (("--url-env", "URL", "--url-file", "file"), "one of --url-env and --url-file"),
        (("--url-file", "gone"), "cannot read gone (No such file or directory)"),
        (("--url-file", "."), "cannot read . (Is a directory)"),
        (("--url-file", "bytes"), "cannot read bytes (it is no text)"),
        (("--check", "--grant-to", "role", "--url-env", "URL"), "leave out --grant-to"),
        (("--url-env", "REST"), "with --url-env or --url-file"),
        (("--url-env", "OTHER"), "other:// is not migrated by Tollkeeper"),
        (("--url-env", "PUBLIC"), "schema must be Tollkeeper's own"),
        (("--url-env", "BROKEN"), "store: the URL names no database"),
    ],
)
def test_wrong_use_is_one_line_without_the_url(
    cli: Cli, options: tuple[str, ...], said: str
) -> None:
    (cli.folder / "bytes").write_bytes(b"\xff")
    ran = cli.here(
        "migrate",
        *options,
        NONE="hunter2",
        URL="postgresql://me:hunter2@127.0.0.1/db",
        REST="supabase+https://service:hunter2@project.supabase.co",
        OTHER="other://hunter2",
        PUBLIC="postgresql://me:hunter2@127.0.0.1/db?schema=public",
        BROKEN="postgresql://me:hunter2@127.0.0.1",
    )
    refused(ran, 2, said)
    assert "hunter2" not in ran.err


@pytest.mark.parametrize("package", ["alembic", "asyncpg", "sqlalchemy"])
@pytest.mark.parametrize("options", [(), ("--check",)], ids=["apply", "check"])
def test_without_the_extra_it_is_named(
    cli: Cli, tmp_path: Path, package: str, options: tuple[str, ...]
) -> None:
    ran = cli.process(
        *("migrate", *options, "--url-env", "DATABASE"),
        DATABASE="postgresql://me@127.0.0.1/db",
        PYTHONPATH=without(tmp_path, package),
    )
    refused(ran, 2, "pip install 'tollkeeper[postgres]'")


def test_a_database_that_is_not_there_is_a_failure(cli: Cli) -> None:
    with socket.socket() as taken:  # bound and not listening: whoever connects is refused
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://me:hunter2@127.0.0.1:{taken.getsockname()[1]}/db"
        for options in ((), ("--check",)):
            ran = cli.here("migrate", *options, "--url-env", "DATABASE", DATABASE=url)
            refused(ran, 5, "the database cannot be reached")
            assert "hunter2" not in ran.err


def test_a_role_is_let_in(cli: Cli, database: str) -> None:
    role = f"of_a_test_{database.rpartition('_')[2]}"
    asyncio.run(run_sql(database, f"CREATE ROLE {role}"))
    ran = cli.here(
        *("migrate", "--json", "--url-env", "DATABASE", "--grant-to", role), DATABASE=database
    )
    assert ran.json()["granted_to"] == [role]
    allowed = f"has_function_privilege('{role}', 'tollkeeper.balance_of(text, text)', 'EXECUTE')"
    assert value(database, f"SELECT {allowed}") is True
    asyncio.run(run_sql(database, f"DROP OWNED BY {role}", f"DROP ROLE {role}"))


def test_a_role_that_is_not_there_stops_all_of_it(cli: Cli, database: str) -> None:
    ran = cli.here(
        *("migrate", "--url-env", "DATABASE", "--grant-to", "no such role"), DATABASE=database
    )
    assert ran.code == 4
    assert ran.err.splitlines()[-1] == "error: the database has no such role"
    assert value(database, OURS) == 0
