"""`tollkeeper audit` tells who changed what, and whether the log is as it was written."""

import sqlite3
from collections.abc import Mapping
from typing import Any

import pytest

from tests.infra.cli_runs import Cli, refused

ISSUE = ("keys", "issue", "--account", "acme", "--scope", "chat:complete", "--json")


def sql(cli: Cli, *statements: str) -> None:
    """Change the store behind Tollkeeper's back."""
    with sqlite3.connect(cli.folder / "tollkeeper.db") as database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entries'"
        ).fetchall():
            database.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            database.execute(statement)
    database.close()


def verified(cli: Cli, *options: str) -> Mapping[str, Any]:
    """Check the log of acme, and read what was found."""
    ran = cli.here("audit", "verify", "--account", "acme", *options, "--json")
    document = ran.json()
    (check,) = document["accounts"]
    assert document["ok"] is check["ok"] is (ran.code == 0)
    found: Mapping[str, Any] = check
    return found


def test_audit_shows_what_became_of_a_key(cli: Cli) -> None:
    key = cli.here(*ISSUE).json()
    cli.here("keys", "revoke", "--account", "acme", key["key"]["id"])

    entries = cli.here("audit", "list", "--account", "acme", "--json").json()
    assert [entry["action"] for entry in entries] == ["key.issued", "key.revoked"]
    assert [entry["sequence"] for entry in entries] == [1, 2]
    assert all(entry["chained"] for entry in entries)
    assert {entry["subject"] for entry in entries} == {key["key"]["id"]}
    (rest,) = cli.here(
        *("audit", "list", "--account", "acme", "--after", entries[0]["id"], "--json")
    ).json()
    assert rest == entries[1]
    table = cli.here("audit", "list", "--account", "acme", "--limit", "1")
    assert "key.issued" in table.out
    assert f"--after {entries[0]['id']}" in table.err
    assert key["token"] not in table.out
    assert "nothing was changed" in cli.here("audit", "list", "--account", "nobody").out
    refused(cli.here("audit", "list", "--account", "a b"), 2, "account")
    refused(cli.here("audit", "list", "--account", "acme", "--limit", "0"), 2, "limit")
    refused(cli.here("audit", "list", "--account", "acme", "--after", "audit_unknown"), 4)


def test_audit_without_a_command_lists(cli: Cli) -> None:
    cli.here(*ISSUE)
    short = cli.here("audit", "--account", "acme", "--json")
    assert short.json() == cli.here("audit", "list", "--account", "acme", "--json").json()
    assert "verify" in cli.here("audit", "--help").out
    assert cli.here("audit", "nosuch").code == 2


def test_what_others_wrote_paints_no_terminal(cli: Cli) -> None:
    """Line ends and escapes in an entry are written out, in both shapes (T25)."""
    cli.here(*ISSUE)
    sql(cli, "UPDATE audit_entries SET actor = 'a' || char(27) || '[31m' || char(10) || 'forged'")
    table = cli.here("audit", "list", "--account", "acme")
    assert r"a\x1b[31m\nforged" in table.out
    as_json = cli.here("audit", "list", "--account", "acme", "--json")
    assert "\x1b" not in table.out + as_json.out
    assert as_json.json()[0]["actor"] == "a\x1b[31m\nforged"


def test_whole_logs_are_said_to_be_whole(cli: Cli) -> None:
    cli.here(*ISSUE)
    cli.here(*ISSUE)
    cli.here("keys", "issue", "--account", "other", "--scope", "chat:complete")
    ran = cli.process("audit", "verify")
    assert (ran.code, ran.err) == (0, "")
    assert "3 entries, all as they were written" in ran.out
    check = verified(cli)
    assert (check["entries"], check["unchained"], check["fault"]) == (2, 0, None)
    assert check["head"].startswith("2:")
    assert check["head"] in ran.out
    document = cli.here("audit", "verify", "--json").json()
    assert [each["account"] for each in document["accounts"]] == ["acme", "other"]
    narrow = cli.here("audit", "verify", COLUMNS="80").out
    assert check["head"] in narrow
    assert max(map(len, narrow.splitlines())) <= 80


def test_changed_entry_is_named(cli: Cli) -> None:
    """The first break is named, and the command fails (T24)."""
    for _ in range(3):
        cli.here(*ISSUE)
    entries = cli.here("audit", "list", "--account", "acme", "--json").json()
    sql(cli, "UPDATE audit_entries SET actor = 'nobody' WHERE number = 2")
    check = verified(cli)
    assert check["fault"]["sequence"] == 2
    assert check["fault"]["fault"] == "changed"
    assert check["fault"]["entry_id"] == entries[1]["id"]
    table = cli.here("audit", "verify")
    assert table.code == 1
    assert f"broken at 2: changed at {entries[1]['id']}" in table.out
    assert "1 of 1 broken" in table.out


def test_missing_entry_is_named(cli: Cli) -> None:
    for _ in range(3):
        cli.here(*ISSUE)
    sql(cli, "DELETE FROM audit_entries WHERE number = 2")
    fault = verified(cli)["fault"]
    assert (fault["sequence"], fault["fault"]) == (2, "gap")


def test_end_that_was_cut_off_is_told_by_the_head(cli: Cli) -> None:
    cli.here(*ISSUE)
    cli.here(*ISSUE)
    head = verified(cli)["head"]
    assert verified(cli, "--head", head)["ok"]
    sql(cli, "DELETE FROM audit_entries WHERE number = 2")
    assert verified(cli)["ok"]
    fault = verified(cli, "--head", head)["fault"]
    assert (fault["sequence"], fault["fault"]) == (2, "cut")


def test_entries_from_before_chains_are_told_apart(cli: Cli) -> None:
    cli.here(*ISSUE)
    sql(cli, "UPDATE audit_entries SET mac = x'', mac_key = ''")
    cli.here(*ISSUE)
    fault = verified(cli)["fault"]
    assert (fault["sequence"], fault["fault"]) == (1, "unchained")
    assert cli.here("audit", "verify").code == 1
    check = verified(cli, "--unchained")
    assert (check["ok"], check["entries"], check["unchained"]) == (True, 1, 1)
    ran = cli.here("audit", "verify", "--unchained")
    assert ran.code == 0
    assert "1 entries without a MAC" in ran.err
    assert "nothing proves those" in ran.err
    assert "1 entries, all as they were written" in ran.out  # not of those


def test_log_of_another_key_is_not_said_to_be_whole(cli: Cli) -> None:
    cli.here(*ISSUE)
    (cli.folder / "tollkeeper.pepper").write_text("5a" * 16 + "0123456789abcdef" * 2)
    fault = verified(cli)["fault"]
    assert fault["fault"] == "unknown_key"
    assert fault["detail"]
    assert "add it to retired_audit_keys or retired_key_peppers" in " ".join(
        cli.here("audit", "verify").err.split()
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--account", "a b"), "account"),
        (("--head", "1:00"), "--account"),
        (("--account", "acme", "--head", "last"), "--head"),
        (("--account", "acme", "--head", "1:0"), "--head"),
        (("--account", "acme", "--head", "-1:00"), "--head"),
    ],
)
def test_malformed_check_is_refused(cli: Cli, options: tuple[str, ...], said: str) -> None:
    refused(cli.here("audit", "verify", *options), 2, said)


def test_empty_log_is_whole(cli: Cli) -> None:
    assert cli.here("audit", "verify").out == "there are no audit entries\n"
    assert cli.here("audit", "verify", "--json").json() == {"ok": True, "accounts": []}
