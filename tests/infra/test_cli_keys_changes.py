"""`tollkeeper keys`: update, disable, enable, delete."""

import os
import pty
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from tests.infra.cli_runs import COMMAND, Cli, clean_environ, refused

ISSUE = ("keys", "issue", "--account", "acme", "--scope", "chat:complete", "--json")
FULL = (
    *("--limit", "60/minute", "--quota", "10/day", "--network", "10.0.0.0/8"),
    *("--metadata", "team=search", "--expires-in", "30d", "--name", "laptop"),
)


def issue(cli: Cli, *options: str) -> tuple[str, str]:
    """Issue a key; return its token and its id."""
    issued = cli.here(*ISSUE, *options).json()
    return issued["token"], issued["key"]["id"]


def keys(cli: Cli, command: str, key_id: str, *options: str) -> Mapping[str, Any]:
    """Run a command on a key, and read what it printed."""
    ran = cli.here("keys", command, "--account", "acme", key_id, *options, "--json")
    assert (ran.code, ran.err) == (0, "")
    document: Mapping[str, Any] = ran.json()
    return document


def test_update_changes_what_is_given_and_nothing_else(cli: Cli) -> None:
    _, key_id = issue(cli, *FULL)
    before = keys(cli, "show", key_id)
    options = ("--scope", "chat:stream", "--limit", "5/second:open", "--metadata", "owner=me")
    after = keys(cli, "update", key_id, *options)
    assert after["scopes"] == ["chat:stream"]
    assert after["limits"] == ["5/second:open"]
    assert after["metadata"] == {"owner": "me"}
    for same in ("name", "quota", "networks", "expires_at", "secrets"):
        assert after[same] == before[same]
    said = cli.here("keys", "update", "--account", "acme", key_id, "--name", "")
    assert said.out.startswith(f"updated {key_id}")
    assert keys(cli, "show", key_id)["name"] == ""


def test_each_bound_can_be_taken_away(cli: Cli) -> None:
    _, key_id = issue(cli, *FULL)
    every = ("--no-limits", "--no-quota", "--no-networks", "--no-metadata", "--never-expires")
    after = keys(cli, "update", key_id, *every)
    assert (after["limits"], after["networks"], after["metadata"]) == ([], [], {})
    assert (after["quota"], after["expires_at"]) == (None, None)
    assert after["name"] == "laptop"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "nothing is to be changed"),
        (("--no-limits", "--limit", "1/second"), "--no-limits, not both"),
        (("--no-quota", "--quota", "1/day"), "--no-quota, not both"),
        (("--no-networks", "--network", "10.0.0.0/8"), "--no-networks, not both"),
        (("--no-metadata", "--metadata", "a=b"), "--no-metadata, not both"),
        (("--never-expires", "--expires-in", "1d"), "--never-expires, not both"),
        (("--scope", "everything"), "resource:action"),
        (("--name", "x" * 300), "name"),
        (("--expires-in", "soon"), "--expires-in"),
        (("--metadata", "a=b", "--metadata", "a=c"), "given twice"),
    ],
)
def test_malformed_update_is_refused(cli: Cli, options: tuple[str, ...], said: str) -> None:
    refused(cli.here("keys", "update", "--account", "acme", "key_any", *options), 2, said)


def test_disabled_key_is_refused_until_it_is_enabled(cli: Cli) -> None:
    cli.credit()
    token, key_id = issue(cli)
    ran = cli.process("keys", "disable", "--account", "acme", key_id)
    assert ran.out.startswith(f"disabled {key_id}")
    refused(cli.here("complete", "hi", TOLLKEEPER_KEY=token), 3, "disabled")
    assert keys(cli, "show", key_id)["state"] == "disabled"
    assert keys(cli, "disable", key_id)["disabled_at"] is not None
    assert keys(cli, "enable", key_id)["state"] == "active"
    enabled = cli.here("keys", "enable", "--account", "acme", key_id)
    assert enabled.out.startswith(f"enabled {key_id}")
    assert cli.here("complete", "hi", TOLLKEEPER_KEY=token).code == 0


@pytest.mark.parametrize("command", ["update", "disable", "enable", "delete"])
def test_foreign_and_ended_keys_are_not_changed(cli: Cli, command: str) -> None:
    _, key_id = issue(cli)
    more = {"update": ("--name", "x"), "delete": ("--yes",)}.get(command, ())
    refused(cli.here("keys", command, "--account", "other", key_id, *more), 4)
    refused(cli.here("keys", command, "--account", "acme", "key_nosuch", *more), 4)
    keys(cli, "revoke", key_id)
    if command != "delete":
        refused(cli.here("keys", command, "--account", "acme", key_id, *more), 4, "revoked")


def test_deleted_key_is_gone(cli: Cli) -> None:
    token, key_id = issue(cli)
    refused(cli.here("keys", "delete", "--account", "acme", key_id), 2, "say --yes")
    assert keys(cli, "show", key_id)["state"] == "active"
    ran = cli.here("keys", "delete", "--account", "acme", key_id, "--yes")
    assert ran.out.startswith(f"deleted {key_id}")
    refused(cli.here("keys", "show", "--account", "acme", key_id), 4)
    refused(cli.here("complete", "hi", TOLLKEEPER_KEY=token), 3, "not valid")
    _, other = issue(cli)
    assert keys(cli, "delete", other, "--yes")["id"] == other


@pytest.mark.parametrize(("answer", "code", "left"), [(b"y\n", 0, 0), (b"n\n", 1, 1)])
def test_whoever_sits_at_a_terminal_is_asked(cli: Cli, answer: bytes, code: int, left: int) -> None:
    _, key_id = issue(cli)
    ours, its = pty.openpty()
    try:
        os.write(ours, answer)
        done = subprocess.run(
            [*COMMAND, "keys", "delete", "--account", "acme", key_id],
            cwd=cli.folder,
            env=clean_environ(TERM="dumb"),
            stdin=its,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(its)
    assert f"Delete {key_id} for good?" in done.stderr
    assert done.returncode == code
    assert len(cli.here("keys", "list", "--account", "acme", "--json").json()) == left
