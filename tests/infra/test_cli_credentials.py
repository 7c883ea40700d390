"""`tollkeeper credentials` keeps secrets of accounts, and shows none."""

from typing import Any

import pytest

from tests.infra.cli_runs import Cli, Ran, refused

SECRET = "sk-canary-5d0f"
STORE = ("credentials", "store", "--account", "acme", "--provider", "house")


@pytest.fixture
def keyed(cli: Cli) -> Cli:
    """A folder with a keyring, and a provider that takes credentials."""
    assert cli.here("secrets", "keyring", "new", "kek.keyring").code == 0
    (cli.folder / "tollkeeper.toml").write_text(
        '[local]\nkey_encryption = "keyring://./kek.keyring"\n'
        '[local.chat_models]\nhouse = "openai+http://127.0.0.1:9/v1"\n'
    )
    return cli


def stored(cli: Cli, *options: str) -> dict[str, Any]:
    ran = cli.here(*STORE, *options, "--json", stdin=f"{SECRET}\n")
    assert ran.code == 0, ran.err
    assert SECRET not in ran.out + ran.err
    document: dict[str, Any] = ran.json()
    return document


def listed(cli: Cli, *options: str) -> list[str]:
    ran = cli.here("credentials", "list", "--account", "acme", *options, "--json")
    assert SECRET not in ran.out
    return [each["label"] for each in ran.json()]


def shows_nothing(ran: Ran) -> None:
    assert SECRET not in ran.out + ran.err


def test_a_credential_is_kept_listed_and_removed(keyed: Cli) -> None:
    kept = stored(keyed)
    assert (kept["account"], kept["provider"], kept["label"]) == ("acme", "house", "default")
    assert kept["base_url"] == "http://127.0.0.1:9/v1"
    stored(keyed, "--label", "second")
    assert listed(keyed) == ["default", "second"]
    assert listed(keyed, "--limit", "1") == ["default"]
    assert listed(keyed, "--after", kept["id"]) == ["second"]
    table = keyed.here("credentials", "list", "--account", "acme")
    assert kept["id"] in table.out
    shows_nothing(table)
    ran = keyed.here("credentials", "replace", kept["id"], "--account", "acme", stdin=f"{SECRET}-2")
    assert (ran.code, "replaced the secret" in ran.out) == (0, True)
    shows_nothing(ran)
    ran = keyed.here("credentials", "remove", kept["id"], "--account", "acme")
    assert (ran.code, f"removed {kept['id']}" in ran.out) == (0, True)
    assert listed(keyed) == ["second"]
    actions = [
        each["action"] for each in keyed.here("audit", "list", "--account", "acme", "--json").json()
    ]
    assert actions.count("credential.stored") == 2
    assert actions[-2] == "credential.replaced"
    assert actions[-1] == "credential.removed"


def test_an_account_is_forgotten_if_that_is_said(keyed: Cli) -> None:
    stored(keyed)
    refused(keyed.here("credentials", "forget", "--account", "acme"), 2, "--yes")
    assert listed(keyed) == ["default"]
    ran = keyed.here("credentials", "forget", "--account", "acme", "--yes", "--json")
    assert ran.json() == {"account": "acme", "credentials": 1}
    assert listed(keyed) == []
    assert keyed.here("audit", "verify", "--account", "acme").code == 0
    stored(keyed)  # an account that comes back gets new data keys
    assert listed(keyed) == ["default"]


def test_what_is_wrong_is_told_in_a_line(keyed: Cli) -> None:
    kept = stored(keyed)
    twice = keyed.here(*STORE, stdin=SECRET)
    refused(twice, 4, "label")
    shows_nothing(twice)
    refused(keyed.here(*STORE, "--label", "empty", stdin=""), 2, "empty")
    for bad in (
        keyed.here(*STORE, "--label", "two\nlines", stdin=SECRET),
        keyed.here(*STORE[:-1], "nobody", stdin=SECRET),
        keyed.here("credentials", "remove", kept["id"], "--account", "globex"),
        keyed.here("credentials", "list", "--account", "acme", "--limit", "0"),
        keyed.here("credentials", "list", "--account", "a b"),
        keyed.here("credentials", "forget", "--account", "", "--yes"),
    ):
        assert bad.code not in (0, 1)
        assert len(bad.err.splitlines()) == 1
        shows_nothing(bad)
    assert listed(keyed) == ["default"]


def test_without_key_encryption_the_remedy_is_named(cli: Cli) -> None:
    ran = cli.here(*STORE, stdin=SECRET)
    assert ran.code != 0
    assert "tollkeeper secrets keyring new" in ran.err
    shows_nothing(ran)
