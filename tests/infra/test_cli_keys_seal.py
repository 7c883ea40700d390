"""`tollkeeper keys seal` seals what has no seal, and tells what hangs on which pepper."""

import contextlib
import os
import pty
import sqlite3
import subprocess
from collections.abc import Iterator

import pytest

from tests.infra.cli_runs import COMMAND, Cli, clean_environ, refused

OLD, NEW = "0f" * 8 + "1a2b3c4d5e6f7089", "9d" * 4 + "8c7b6a5f4e3d2c1b0a918273"


def unseal(cli: Cli) -> None:
    """Take the seals away, as if the keys were from before there were any."""
    with sqlite3.connect(cli.folder / "tollkeeper.db") as database:
        database.execute("UPDATE api_keys SET seal = NULL, seal_pepper_id = NULL")
    database.close()


def test_keys_from_before_seals_work_once_they_are_sealed(cli: Cli) -> None:
    cli.credit()
    token = cli.token()
    cli.token("other")
    unseal(cli)
    refused(cli.here("complete", "hi", TOLLKEEPER_KEY=token), 3)
    ran = cli.process("keys", "seal")
    assert ran.code == 1
    assert "2 keys: 0 sealed that had no seal" in ran.out
    assert "--unsealed" in ran.err
    report = cli.here("keys", "seal", "--unsealed", "--json").json()
    assert (report["ok"], report["sealed"], report["not_intact"]) == (True, 2, [])
    assert report["secrets_under"] == {report["current_pepper"]: 2}
    assert cli.here("complete", "hi", TOLLKEEPER_KEY=token).code == 0
    again = cli.here("keys", "seal", "--unsealed")
    assert (again.code, again.err) == (0, "")
    assert "2 keys: 0 sealed" in again.out


def test_tampered_record_is_named_and_fails(cli: Cli) -> None:
    issued = cli.here(
        *("keys", "issue", "--account", "acme", "--scope", "chat:complete", "--json")
    ).json()
    with sqlite3.connect(cli.folder / "tollkeeper.db") as database:
        database.execute("UPDATE api_keys SET name = 'mine'")
    database.close()
    ran = cli.here("keys", "seal", "--unsealed", "--json")
    assert ran.code == 1
    assert ran.json()["not_intact"] == [issued["key"]["id"]]
    assert issued["key"]["id"] in cli.here("keys", "seal").err


def test_retired_pepper_may_go_when_nothing_hangs_on_it(cli: Cli) -> None:
    cli.credit()
    old = {"TOLLKEEPER_KEY_PEPPER": OLD}
    both = {"TOLLKEEPER_KEY_PEPPER": NEW, "TOLLKEEPER_RETIRED_KEY_PEPPERS": OLD}
    issue = ("keys", "issue", "--account", "acme", "--scope", "chat:complete")
    token = cli.here(*issue, **old).out.strip()
    ran = cli.here("keys", "seal", "--json", **both)
    assert (ran.code, ran.json()["renewed"]) == (0, 1)
    table = cli.here("keys", "seal", **both)
    assert "retired" in table.out
    assert "when its key is next used" in table.err
    assert cli.here("complete", "hi", TOLLKEEPER_KEY=token, **both).code == 0
    report = cli.here("keys", "seal", "--json", **both).json()
    assert report["secrets_under"] == {report["current_pepper"]: 1}
    assert "may be taken out" in cli.here("keys", "seal", **both).err
    alone = {"TOLLKEEPER_KEY_PEPPER": NEW}
    assert cli.here("complete", "hi", TOLLKEEPER_KEY=token, **alone).code == 0


@pytest.mark.parametrize("columns", ["40", "100"])
def test_empty_store_is_sealed_already(cli: Cli, columns: str) -> None:
    ran = cli.here("keys", "seal", COLUMNS=columns)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == "there are no keys"


def until_it_hangs_up(terminal: int) -> Iterator[str]:
    """Read what a command shows on *terminal*, to its end."""
    with contextlib.suppress(OSError):  # so Linux says that nobody writes to it any more
        while shown := os.read(terminal, 65_536):
            yield shown.decode(errors="replace")


@pytest.mark.parametrize(
    ("command", "said"),
    [(("keys", "seal"), "sealing keys"), (("audit", "verify"), "following audit entries")],
)
def test_whoever_watches_sees_a_bar(cli: Cli, command: tuple[str, ...], said: str) -> None:
    cli.token()
    ours, its = pty.openpty()
    try:
        process = subprocess.Popen(
            [*COMMAND, *command, "--json"],
            cwd=cli.folder,
            env=clean_environ(TERM="xterm"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=its,
        )
        with process:
            os.close(its)
            shown = "".join(until_it_hangs_up(ours))
            printed, _ = process.communicate(timeout=60)
    finally:
        os.close(ours)
    assert process.returncode == 0
    assert said in shown
    assert printed.startswith(b"{")
