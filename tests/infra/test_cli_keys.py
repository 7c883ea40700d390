"""`tollkeeper keys`: issue, list, show, revoke, rotate."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.infra.cli_runs import COMMAND, Cli, clean_environ, refused
from tollkeeper.domain.key_tokens import TOKEN_PATTERN

ISSUE = ("keys", "issue", "--account", "acme", "--scope", "chat:complete")


def test_token_stands_alone_on_standard_output(cli: Cli) -> None:
    ran = cli.here(*ISSUE, "--name", "[red]mine[/red]", "--expires-in", "30d")
    assert ran.code == 0
    assert re.fullmatch(TOKEN_PATTERN + r"\n", ran.out)
    assert ran.out.strip() not in ran.err
    assert "shown this once" in ran.err
    (key,) = cli.here("keys", "list", "--account", "acme", "--json").json()
    assert key["name"] == "[red]mine[/red]"
    assert key["scopes"] == ["chat:complete"]
    assert key["state"] == "active"
    assert key["created_at"].endswith("Z")
    assert key["expires_at"] > key["created_at"]


def test_token_is_printed_once_and_never_again(cli: Cli) -> None:
    issued = cli.here(*ISSUE, "--json").json()
    token = issued["token"]
    secret = token.rpartition("_")[2]
    listed = cli.here("keys", "list", "--account", "acme")
    as_json = cli.here("keys", "list", "--account", "acme", "--json")
    doctor = cli.here("doctor", "--json")
    files = b"".join(path.read_bytes() for path in cli.folder.iterdir())
    for text in (listed.out, as_json.out, doctor.out, files.decode("latin-1")):
        assert secret not in text
    assert issued["key"]["display"] in listed.out
    assert issued["key"]["id"] in listed.out


def test_list_shows_names_as_they_are(cli: Cli) -> None:
    cli.here(*ISSUE, "--name", "[bold]x[/] :smile:")
    ran = cli.here("keys", "list", "--account", "acme")
    assert "[bold]x[/] :smile:" in ran.out


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_id_is_in_one_piece_however_narrow_the_terminal(cli: Cli, columns: str) -> None:
    key_id = cli.here(*ISSUE, "--json").json()["key"]["id"]
    ran = cli.here("keys", "list", "--account", "acme", COLUMNS=columns)
    assert key_id in ran.out
    assert "chat:complete" in ran.out


def test_list_of_nobody_is_empty(cli: Cli) -> None:
    assert cli.here("keys", "list", "--account", "nobody").out == "nobody has no keys\n"
    assert cli.here("keys", "list", "--account", "nobody", "--json").json() == []


def test_list_comes_in_pages(cli: Cli) -> None:
    ids = [cli.here(*ISSUE, "--json").json()["key"]["id"] for _ in range(3)]
    page = ("keys", "list", "--account", "acme", "--limit", "2")
    ran = cli.here(*page)
    assert f"--after {ids[1]}" in ran.err
    (rest,) = cli.here(*page, "--after", ids[1], "--json").json()
    assert rest["id"] == ids[2]
    refused(cli.here(*page, "--after", "key_nosuch"), 4)
    refused(cli.here("keys", "list", "--account", "acme", "--limit", "0"), 2, "limit")


def test_key_issued_by_one_process_works_in_another_until_it_is_revoked(cli: Cli) -> None:
    cli.credit()
    issued = cli.process(*ISSUE, "--json").json()
    token, key_id = issued["token"], issued["key"]["id"]
    answered = cli.process("complete", "hello", TOLLKEEPER_KEY=token)
    assert (answered.code, answered.out) == (0, "hello\n")
    revoked = cli.process("keys", "revoke", "--account", "acme", key_id)
    assert revoked.out.startswith(f"revoked {key_id}")
    refused(cli.process("complete", "hello", TOLLKEEPER_KEY=token), 3, "revoked")
    (key,) = cli.here("keys", "list", "--account", "acme", "--json").json()
    assert key["state"] == "revoked"
    assert key["last_used_at"] is not None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--account", "a b", "--scope", "chat:complete"), "account"),
        (("--account", "acme", "--scope", "everything"), "resource:action"),
        (("--account", "acme", "--scope", "chat:complete", "--expires-in", "soon"), "--expires-in"),
        (("--account", "acme", "--scope", "chat:complete", "--expires-in", "0s"), "--expires-in"),
        (
            ("--account", "acme", "--scope", "chat:complete", "--expires-in", "999999999d"),
            "hundred years",
        ),
        (("--account", "acme", "--scope", "chat:complete", "--name", "x" * 300), "name"),
        (("--account", "acme", "--scope", "chat:complete", "--name", "two\nlines"), "name"),
        (
            (
                *("--account", "acme", "--scope", "chat:complete"),
                *("--expires-in", "1d", "--expires-at", "2999-01-01"),
            ),
            "not both",
        ),
    ],
)
def test_malformed_key_is_not_issued(cli: Cli, options: tuple[str, ...], said: str) -> None:
    refused(cli.here("keys", "issue", *options), 2, said)
    assert cli.here("keys", "list", "--account", "acme", "--json").json() == []


@pytest.mark.parametrize(
    ("option", "bad", "said"),
    [
        ("--description", "x" * 1001, "description"),
        ("--limit", "60", "60/minute"),
        ("--limit", "60/minute:maybe", "closed, local or open"),
        ("--quota", "many/month", "10000/month"),
        ("--network", "10.0.0.1/8", "no network"),
        ("--metadata", "team", "NAME=VALUE"),
        ("--metadata", "=search", "NAME=VALUE"),
        ("--expires-at", "tomorrow", "--expires-at"),
        ("--expires-at", "2001-01-01", "ahead"),
    ],
)
def test_bad_option_of_issue_and_update_is_named(
    cli: Cli, option: str, bad: str, said: str
) -> None:
    refused(cli.here(*ISSUE, option, bad), 2, said)
    if option != "--expires-at":  # the key itself is read before the end is
        refused(cli.here("keys", "update", "--account", "acme", "key_any", option, bad), 2, said)


FULL = (
    *("--name", "laptop", "--description", "for the demo", "--quota", "10000/month"),
    *("--limit", "60/minute:local", "--limit", "5/second", "--network", "10.0.0.0/8"),
    *("--metadata", "team=search", "--metadata", "cost=a=b", "--expires-at", "2999-01-01"),
)


def test_all_that_a_key_has_is_shown(cli: Cli) -> None:
    key_id = cli.here(*ISSUE, *FULL, "--json").json()["key"]["id"]
    shown = cli.here("keys", "show", "--account", "acme", key_id, "--json").json()
    assert shown["description"] == "for the demo"
    assert shown["limits"] == ["5/second:closed", "60/minute:local"]
    assert shown["quota"] == "10000/month"
    assert shown["networks"] == ["10.0.0.0/8"]
    assert shown["metadata"] == {"team": "search", "cost": "a=b"}
    assert shown["expires_at"] == "2999-01-01T00:00:00Z"
    assert (shown["quota_use"]["used"], shown["quota_use"]["left"]) == (0, 10_000)
    (secret,) = shown["secrets"]
    assert secret["pepper"] == shown["sealed_under"]
    table = cli.here("keys", "show", "--account", "acme", key_id).out
    for text in ("laptop", "for the demo", "60/minute:local", "10000/month; 0 used", "10.0.0.0/8"):
        assert text in table
    assert "cost=a=b" in table
    listed = cli.here("keys", "list", "--account", "acme", COLUMNS="60").out
    assert "60/minute:local" in listed
    assert max(map(len, listed.splitlines())) <= 60


def test_key_of_another_account_is_not_shown(cli: Cli) -> None:
    key_id = cli.here(*ISSUE, "--json").json()["key"]["id"]
    refused(cli.here("keys", "show", "--account", "other", key_id), 4)
    refused(cli.here("keys", "show", "--account", "acme", "key_nosuch"), 4)
    plain = cli.here("keys", "show", "--account", "acme", key_id, "--json").json()
    assert plain["quota_use"] is None


def test_rotated_key_has_two_tokens_for_a_while(cli: Cli) -> None:
    cli.credit()
    issued = cli.here(*ISSUE, "--json").json()
    old, key_id = issued["token"], issued["key"]["id"]
    ran = cli.here("keys", "rotate", "--account", "acme", key_id)
    new = ran.out.strip()
    assert re.fullmatch(TOKEN_PATTERN, new)
    assert new != old
    for token in (old, new):
        assert cli.here("complete", "hi", TOLLKEEPER_KEY=token).code == 0
    listed = cli.here("keys", "list", "--account", "acme")
    assert "the old token works until" in listed.out
    newest = cli.here("keys", "rotate", "--account", "acme", key_id, "--overlap", "0s")
    assert cli.here("complete", "hi", TOLLKEEPER_KEY=newest.out.strip()).code == 0
    refused(cli.here("complete", "hi", TOLLKEEPER_KEY=new), 3, "rotated")


def test_token_of_a_compromised_key_ends_with_its_rotation(cli: Cli) -> None:
    cli.credit()
    issued = cli.here(*ISSUE, "--json").json()
    rotate = ("keys", "rotate", "--account", "acme", issued["key"]["id"], "--compromised")
    refused(cli.here(*rotate, "--overlap", "1h"), 2, "--overlap")
    ran = cli.here(*rotate, "--json")
    assert "refused from now on" in ran.err
    refused(cli.here("complete", "hi", TOLLKEEPER_KEY=issued["token"]), 3, "rotated")
    assert cli.here("complete", "hi", TOLLKEEPER_KEY=ran.json()["token"]).code == 0


def test_bad_rotation_changes_nothing(cli: Cli) -> None:
    issued = cli.here(*ISSUE, "--json").json()
    rotate = ("keys", "rotate", "--account", "acme", issued["key"]["id"])
    refused(cli.here(*rotate, "--overlap", "8d"), 2, "overlap")
    refused(cli.here(*rotate, "--overlap", "soon"), 2, "--overlap")
    refused(cli.here("keys", "rotate", "--account", "acme", "key_nosuch"), 4)
    (key,) = cli.here("keys", "list", "--account", "acme", "--json").json()
    assert len(key["secrets"]) == 1
    cli.here("keys", "revoke", "--account", "acme", issued["key"]["id"])
    refused(cli.here(*rotate), 4, "revoked")


def test_key_of_another_account_is_not_there(cli: Cli) -> None:
    key_id = cli.here(*ISSUE, "--json").json()["key"]["id"]
    refused(cli.here("keys", "revoke", "--account", "other", key_id), 4)
    refused(cli.here("keys", "revoke", "--account", "acme", "key_nosuch"), 4)
    (key,) = cli.here("keys", "list", "--account", "acme", "--json").json()
    assert key["state"] == "active"


def test_key_whose_token_could_not_be_printed_is_revoked(cli: Cli) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [*COMMAND, *ISSUE],
            cwd=cli.folder,
            env=clean_environ(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: cannot write the output")
    (key,) = cli.here("keys", "list", "--account", "acme", "--json").json()
    assert key["state"] == "revoked"


def test_damaged_pepper_is_one_line(cli: Cli) -> None:
    cli.token()
    pepper = cli.folder / "tollkeeper.pepper"
    pepper.write_text("short")
    refused(cli.here("keys", "list", "--account", "acme"), 2, "pepper", "damaged")
    ran = cli.here("doctor", "--json")
    assert ran.code == 1
    (part,) = (each for each in ran.json()["parts"] if each["status"] == "failed")
    assert part["part"] == "key pepper"
