"""What docs/supabase.md says is what the adapter does."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import ROOT, blocks, tables, ticked
from tests.infra.cli_runs import Cli
from tests.servers.postgrest import PostgrestServer, postgrest_server
from tests.servers.postgrest_database import project_database
from tollkeeper.adapters.supabase.addresses import address_of

PAGE = ROOT / "docs" / "supabase.md"
SOURCES = ROOT / "adapters" / "supabase"
COMMANDS = [
    shlex.split(line.strip())[1:]
    # Blocks within a list are indented.
    for line in PAGE.read_text("utf-8").splitlines()
    if line.strip().startswith("tollkeeper ")
]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with project_database(migrated=False) as url:
        yield url


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    cli = Cli(tmp_path_factory.mktemp("host"))
    (cli.folder / "tollkeeper.toml").write_text("[local]\ntranscribers = {}\n")
    return cli


@pytest.fixture(scope="module")
def project(database: str, cli: Cli) -> Iterator[PostgrestServer]:
    """A project that was set up as the page says."""
    ran = cli.here(*COMMANDS[0], DATABASE_URL=database)
    assert ran.code == 0, ran.err
    with postgrest_server(database) as server:
        yield server


def test_the_commands_of_the_page_are_those_that_are_tried() -> None:
    assert [command[0] for command in COMMANDS] == ["migrate", "doctor", "verify"]
    assert [block for block in blocks(PAGE, "sh") if "pip install" in block.text]


def test_the_page_sets_a_project_up(project: PostgrestServer, cli: Cli) -> None:
    ran = cli.here(
        *COMMANDS[1],
        TOLLKEEPER_STORE=project.store_url(key=project.keys.secret),
        TOLLKEEPER_KEY_PEPPER="0123456789abcdef" * 4,
    )
    assert ran.code == 0, ran.out
    assert "Supabase on PostgreSQL" in ran.out
    assert project.keys.secret not in ran.out + ran.err


@pytest.mark.soak
def test_the_store_passes_its_contract_where_it_is(project: PostgrestServer, cli: Cli) -> None:
    url = project.store_url(key=project.keys.secret)
    ran = cli.here(*(url if part == "$TOLLKEEPER_STORE" else part for part in COMMANDS[2]))
    assert ran.code == 0, ran.out
    assert project.keys.secret not in ran.out + ran.err


def test_the_options_and_their_defaults_are_those_of_the_adapter() -> None:
    [rows] = [table for table in tables(PAGE) if "option" in table[0]]
    url = "supabase+http://service_role:sb_secret_x@127.0.0.1"
    address = address_of(url)
    for row in rows:
        [option] = ticked(row["option"])
        if option == "insecure":
            address_of(f"{url}?insecure=yes")
            continue
        [default] = ticked(row["default"])
        assert address_of(f"{url}?{option}={default}") == address
    said = (SOURCES / "addresses.py").read_text("utf-8")
    named = re.findall(r'^            "(\w+)": ', said, re.MULTILINE)
    assert sorted(named) == sorted(ticked(row["option"])[0] for row in rows)


def test_the_codes_are_those_of_the_adapter() -> None:
    [rows] = [table for table in tables(PAGE) if "code" in table[0]]
    told = {code for row in rows for code in ticked(row["code"])}
    raised = {
        code
        for file in Path(SOURCES).glob("*.py")
        for code in re.findall(r'code="(\w+)"', file.read_text("utf-8"))
        if code.startswith(("key_", "schema_", "grants_"))
    } - {"key_not_found"}
    assert told == raised
