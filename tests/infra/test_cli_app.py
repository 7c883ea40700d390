"""The command as a whole: its help, its global options, how it fails and what it costs."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.infra.cli_runs import COMMAND, Cli, clean_environ, refused, without
from tollkeeper.domain import errors
from tollkeeper.infra.cli import exits
from tollkeeper.infra.cli.masking import masked, secrets_of

GROUPS = (
    *("demo", "init", "keys", "credit", "complete", "transcribe", "usage", "ledger"),
    *("holds", "plans", "doctor", "verify", "audit", "secrets"),
)


def test_help_names_every_command(cli: Cli) -> None:
    ran = cli.here("--help")
    assert ran.code == 0
    for group in GROUPS:
        assert f" {group} " in ran.out


@pytest.mark.parametrize("group", GROUPS)
def test_each_command_explains_itself(cli: Cli, group: str) -> None:
    ran = cli.here(group, "--help")
    assert ran.code == 0
    assert "Usage:" in ran.out


def test_version_is_the_package_s(cli: Cli) -> None:
    assert cli.process("--version").out == f"tollkeeper {version('tollkeeper')}\n"


def test_help_loads_no_sdk_and_not_the_container(cli: Cli) -> None:
    code = (
        "import sys\n"
        "from tollkeeper.infra.cli.app import run\n"
        "run(['--help'])\n"
        "heavy = {'aiohttp', 'msgspec', 'pocketsphinx', 'dependency_injector', 'sqlite3', "
        "'pytest', 'hypothesis'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cli.folder,
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines()[-1] == "LOADED []"


def test_importing_the_command_line_loads_neither_typer_nor_rich() -> None:
    code = "import sys, tollkeeper.infra.cli; print({'typer', 'rich'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_missing_package_is_named_with_its_extra(cli: Cli, package: str) -> None:
    ran = cli.process("--help", PYTHONPATH=without(cli.folder, package))
    refused(ran, 2, f"{package} is not installed", "pip install 'tollkeeper[cli]'")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuch"],
        ["keys", "nosuch"],
        ["keys", "list", "--account", "acme", "--nosuch"],
        ["keys", "list"],
        ["ledger", "--account", "acme", "--limit", "many"],
    ],
)
def test_wrong_use_is_explained_without_a_traceback(cli: Cli, arguments: list[str]) -> None:
    ran = cli.here(*arguments)
    assert ran.code == 2
    assert "Usage:" in ran.err
    assert "Traceback" not in ran.err
    assert list(cli.folder.iterdir()) == []


def test_settings_file_and_environment_are_chosen(cli: Cli) -> None:
    (cli.folder / "mine.toml").write_text('[test]\nstore = "sqlite:///mine.db"\n')
    ran = cli.here("-e", "test", "--file", "mine.toml", "ledger", "--account", "acme", "--json")
    assert (ran.code, ran.json()) == (0, [])
    by_variable = cli.here(
        *("ledger", "--account", "acme", "--json"),
        TOLLKEEPER_ENVIRONMENT="test",
        TOLLKEEPER_FILE="mine.toml",
    )
    assert (by_variable.code, by_variable.json()) == (0, [])
    assert (cli.folder / "mine.db").exists()
    assert not (cli.folder / "tollkeeper.db").exists()


def test_unknown_environment_is_refused(cli: Cli) -> None:
    refused(cli.here("-e", "nosuch", "ledger", "--account", "a"), 2, "no environment nosuch")
    assert list(cli.folder.iterdir()) == []


def test_missing_settings_file_is_refused(cli: Cli) -> None:
    refused(cli.here("--file", "no.toml", "ledger", "--account", "a"), 2, "cannot read", "no.toml")
    refused(cli.here("--file", ".", "ledger", "--account", "a"), 2, "cannot read")


def test_each_fault_of_the_settings_gets_a_line(cli: Cli) -> None:
    (cli.folder / "tollkeeper.toml").write_text(
        '[local]\nstore = "nosuch://"\ncurrency = "dollars"\ncall_timeout = "soon"\nwhat = 1\n'
    )
    ran = cli.here("ledger", "--account", "acme")
    assert ran.code == 2
    lines = ran.err.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("error: ") for line in lines)
    for text in ("nosuch", "currency", "call_timeout", "what is no setting"):
        assert any(text in line for line in lines)


def test_file_that_is_no_database_is_one_line(cli: Cli) -> None:
    (cli.folder / "tollkeeper.db").write_bytes(b"this is no database, but it is long enough" * 99)
    refused(cli.here("ledger", "--account", "acme"), 2, "no SQLite database")
    assert (cli.folder / "tollkeeper.db").read_bytes().startswith(b"this is no database")


def test_folder_that_is_not_there_is_one_line(cli: Cli) -> None:
    ran = cli.here("ledger", "--account", "a", TOLLKEEPER_STORE="sqlite:///nosuch/tollkeeper.db")
    assert ran.code in (2, 5)
    assert len(ran.err.splitlines()) == 1
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("arguments", [("ledger", "--account", "acme", "--json"), ("--help",)])
def test_full_disk_behind_the_output_is_one_line(cli: Cli, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [*COMMAND, *arguments],
            cwd=cli.folder,
            env=clean_environ(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == 1
    assert ran.stderr == "error: cannot write the output: No space left on device\n"


def test_reader_who_leaves_is_no_error_to_speak_of(cli: Cli) -> None:
    cli.credit()
    process = cli.start(
        *("complete", "--account", "acme", "--stream", "-m", "offline/slow-20", "a b c d e")
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    process.wait(30)
    assert "Traceback" not in said
    assert process.returncode == exits.PIPE_CLOSED
    assert cli.balance()["held"] == "0.00"


CODES = {
    errors.InvalidRequest("x"): 2,
    errors.Unsupported("x"): 2,
    errors.ConfigurationError("x"): 2,
    errors.Unauthenticated("x"): 3,
    errors.PermissionDenied("x"): 3,
    errors.InsufficientCredit("x"): 3,
    errors.QuotaExceeded("x"): 3,
    errors.NotFound("x"): 4,
    errors.Conflict("x"): 4,
    errors.IdempotencyConflict("x"): 4,
    errors.Rejected("x", port="p", adapter="a"): 5,
    errors.Unavailable("x", port="p", adapter="a"): 5,
}


@pytest.mark.parametrize("error", CODES, ids=lambda error: type(error).__name__)
def test_each_error_has_its_exit_code(error: errors.TollkeeperError) -> None:
    assert exits.code_of(error) == CODES[error]


def test_error_is_one_line_whatever_it_says() -> None:
    assert exits.lines_of(errors.InvalidRequest("two\nlines\tand more")) == ["two lines and more"]
    assert exits.lines_of(errors.Unavailable("gone", port="p", adapter="a")) == ["gone (try again)"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("memory://", "memory://"),
        ("sqlite:////var/a@b.db", "sqlite:////var/a@b.db"),
        ("redis://me:pw@host:1/0", "redis://********@host:1/0"),
        ("redis://:p@ss@host/0", "redis://********@host/0"),
        ("x+https://token@host/v1?a=1&key=2", "x+https://********@host/v1?a=********&key=********"),
        ("x://host?token#frag", "x://host?********#********"),
    ],
)
def test_what_could_be_secret_in_a_url_is_masked(url: str, shown: str) -> None:
    assert masked(url) == shown
    assert all(secret not in shown for secret in secrets_of(url) if len(secret) > 1)
