"""``tollkeeper audit`` tells who changed what."""

import json

from tests.infra.cli_runs import Cli


def test_audit_shows_what_became_of_a_key(cli: Cli) -> None:
    key = json.loads(
        cli.here("keys", "issue", "--account", "acme", "--scope", "chat:complete", "--json").out
    )
    cli.here("keys", "revoke", "--account", "acme", key["key"]["id"])

    entries = json.loads(cli.here("audit", "--account", "acme", "--json").out)
    assert [entry["action"] for entry in entries] == ["key.issued", "key.revoked"]
    assert {entry["subject"] for entry in entries} == {key["key"]["id"]}
    assert "key.revoked" in cli.here("audit", "--account", "acme").out
    assert key["token"] not in cli.here("audit", "--account", "acme").out
    assert "nothing was changed" in cli.here("audit", "--account", "nobody").out
    assert cli.here("audit", "--account", "a b").code == 2
    assert cli.here("audit", "--account", "acme", "--after", "audit_unknown").code == 4
