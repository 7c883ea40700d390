"""`tollkeeper doctor` looks at keys, their peppers and the audit log."""

import re
import sqlite3
from collections.abc import Mapping
from typing import Any

import pytest

from tests.infra.cli_runs import Cli

OLD, NEW = "0f" * 8 + "1a2b3c4d5e6f7089", "9d" * 4 + "8c7b6a5f4e3d2c1b0a918273"
ISSUE = ("keys", "issue", "--account", "acme", "--scope", "chat:complete", "--json")


def looked_at(cli: Cli, *options: str, **environ: str) -> Mapping[str, Mapping[str, Any]]:
    """Return what is said of each part; without those that have nothing to do with keys."""
    ran = cli.here(*options, "doctor", "--json", **environ)
    document = ran.json()
    parts = {part["part"]: part for part in document["parts"]}
    failed = any(part["status"] == "failed" for part in parts.values())
    assert document["ok"] is not failed
    assert (ran.code, ran.err) == (int(failed), "")
    return parts


@pytest.fixture(autouse=True)
def settings(cli: Cli) -> None:
    """Without the transcriber, which takes its time to answer."""
    (cli.folder / "tollkeeper.toml").write_text(
        "[default]\ntranscribers = {}\n[local]\n[production]\n"
    )


def change(cli: Cli, statement: str) -> None:
    """Change the store behind Tollkeeper's back."""
    with sqlite3.connect(cli.folder / "tollkeeper.db") as database:
        database.execute(statement)
    database.close()


def test_keys_that_work_are_well(cli: Cli) -> None:
    assert looked_at(cli)["keys"]["says"] == "no keys yet"
    cli.here(*ISSUE)
    keys = looked_at(cli)["keys"]
    assert (keys["status"], keys["says"]) == ("in process", "1 key, as sealed")


def test_keys_without_a_seal_are_named_with_the_remedy(cli: Cli) -> None:
    key_id = cli.here(*ISSUE).json()["key"]["id"]
    change(cli, "UPDATE api_keys SET seal = NULL, seal_pepper_id = NULL")
    keys = looked_at(cli)["keys"]
    assert keys["status"] == "failed"
    assert key_id in keys["says"]
    assert "`tollkeeper keys seal --unsealed`" in keys["says"]
    cli.here("keys", "seal", "--unsealed")
    assert looked_at(cli)["keys"]["status"] == "in process"


def test_record_that_was_changed_is_named(cli: Cli) -> None:
    key_id = cli.here(*ISSUE).json()["key"]["id"]
    change(cli, "UPDATE api_keys SET account = 'other'")
    keys = looked_at(cli)["keys"]
    assert keys["status"] == "failed"
    assert f"1 key ({key_id}) changed behind" in keys["says"]


def test_pepper_that_is_gone_is_named_while_a_key_needs_it(cli: Cli) -> None:
    key = cli.here(*ISSUE, TOLLKEEPER_KEY_PEPPER=OLD).json()["key"]
    keys = looked_at(cli, TOLLKEEPER_KEY_PEPPER=NEW)["keys"]
    assert keys["status"] == "failed"
    assert f"the pepper {key['sealed_under']} of 1 key is not configured" in keys["says"]
    assert "retired_key_peppers" in keys["says"]
    both = {"TOLLKEEPER_KEY_PEPPER": NEW, "TOLLKEEPER_RETIRED_KEY_PEPPERS": OLD}
    assert looked_at(cli, **both)["keys"]["status"] == "in process"
    cli.here("keys", "revoke", "--account", "acme", key["id"], TOLLKEEPER_KEY_PEPPER=OLD)
    assert looked_at(cli, TOLLKEEPER_KEY_PEPPER=NEW)["keys"]["status"] == "in process"


def test_pepper_of_a_secret_source_is_looked_at_there(cli: Cli) -> None:
    source = {
        "TOLLKEEPER_SECRET_SOURCE": "env://MINE_",
        "TOLLKEEPER_PEPPER_SECRET": "PEPPER",
        "TOLLKEEPER_AUDIT_KEY": NEW,
    }
    cli.here(*ISSUE, **source, MINE_PEPPER=OLD)
    parts = looked_at(cli, **source, MINE_PEPPER=OLD)
    assert parts["key pepper"]["adapter"] == "from the secret source"
    assert parts["keys"]["says"] == "1 key, as sealed"
    without = looked_at(cli, **source)
    assert without["key pepper"]["status"] == "failed"
    assert "MINE_PEPPER" in without["key pepper"]["says"]
    assert "keys" not in without


def test_audit_key_of_its_own_is_advised_in_production_alone(cli: Cli) -> None:
    pepper = {"TOLLKEEPER_KEY_PEPPER": OLD}
    assert "audit key" not in looked_at(cli, **pepper)
    hint = looked_at(cli, "-e", "production", **pepper)["audit key"]
    assert hint["status"] == "warning"
    assert "audit_key" in hint["says"]
    own = looked_at(cli, "-e", "production", **pepper, TOLLKEEPER_AUDIT_KEY=NEW)
    assert "audit key" not in own
    table = cli.here("-e", "production", "doctor", **pepper)
    assert (table.code, "all is well" in table.out) == (0, True)
    assert re.search(r"audit key +warning", table.out)


def test_known_keys_that_nobody_hears_of_are_warned_of(cli: Cli) -> None:
    assert "key cache" not in looked_at(cli)
    hint = looked_at(cli, TOLLKEEPER_KEY_CACHE_TTL="30s")["key cache"]
    assert hint["status"] == "warning"
    assert "up to 30 s" in hint["says"]
    assert "broadcast" in hint["says"]
    alone = looked_at(cli, TOLLKEEPER_KEY_CACHE_TTL="30s", TOLLKEEPER_STORE="memory://")
    assert "key cache" not in alone
    assert "keys" not in alone
