"""`tollkeeper secrets rotate` moves all that is kept to the newest secrets, and loses nothing."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from tests.infra.cli_runs import Cli, refused
from tollkeeper import Settings, open_tollkeeper
from tollkeeper.domain.secret import Secret

OLD, NEW = "0f" * 8 + "1a2b3c4d5e6f7089", "9d" * 4 + "8c7b6a5f4e3d2c1b0a918273"
BOTH = {"TOLLKEEPER_KEY_PEPPER": NEW, "TOLLKEEPER_RETIRED_KEY_PEPPERS": OLD}
ISSUE = ("keys", "issue", "--account", "acme", "--scope", "chat:complete")
ACCOUNTS = ("acme", "other")


def rotate(cli: Cli, *options: str, **environ: str) -> Mapping[str, Any]:
    """Rotate, and read what became of it."""
    ran = cli.here("secrets", "rotate", *options, "--json", **environ)
    assert (ran.code, ran.err) == (0, "")
    document: Mapping[str, Any] = ran.json()
    return document


def test_rotation_seals_all_keys_under_the_new_pepper(cli: Cli) -> None:
    for _ in range(3):
        cli.here(*ISSUE, TOLLKEEPER_KEY_PEPPER=OLD)
    ran = cli.process("secrets", "rotate", **BOTH)
    assert ran.code == 0
    assert "3 sealed anew" in ran.out
    document = rotate(cli, **BOTH)
    assert document["encryption"] is None
    assert (document["keys"]["ok"], document["keys"]["renewed"]) == (True, 0)
    ((pepper, number),) = document["keys"]["secrets_under"].items()
    assert number == 3
    assert pepper != document["keys"]["current_pepper"]


def test_rotation_without_the_former_pepper_fails(cli: Cli) -> None:
    cli.here(*ISSUE, TOLLKEEPER_KEY_PEPPER=OLD)
    ran = cli.here("secrets", "rotate", TOLLKEEPER_KEY_PEPPER=NEW)
    assert ran.code == 1
    assert "not configured" in ran.err


def test_secrets_under_a_pepper_that_is_gone_are_named_and_fail(cli: Cli) -> None:
    """Their records are sealed under the new pepper, so that nothing else would show it."""
    cli.here(*ISSUE, TOLLKEEPER_KEY_PEPPER=OLD)
    kept = cli.here("secrets", "rotate", **BOTH)
    assert "audit_key" in kept.err  # what else the old pepper is for
    ran = cli.here("secrets", "rotate", TOLLKEEPER_KEY_PEPPER=NEW)
    assert ran.code == 1
    assert "not configured" in ran.out
    assert "retired_key_peppers" in ran.err
    document = cli.here("keys", "seal", "--json", TOLLKEEPER_KEY_PEPPER=NEW)
    assert (document.code, document.json()["ok"]) == (1, False)
    assert document.json()["peppers_missing"] == list(document.json()["secrets_under"])


def test_data_keys_need_a_key_that_wraps_them(cli: Cli) -> None:
    refused(cli.here("secrets", "rotate", "--data-keys"), 2, "key_encryption")
    assert list(cli.folder.iterdir()) == []


def credentials(cli: Cli, *, store: bool = False) -> list[str]:
    """Return the credential that each account keeps here, after storing it if that is wanted."""

    async def work() -> list[str]:
        found = []
        async with open_tollkeeper(Settings.load(environ={})) as tk:
            for account in ACCOUNTS:
                own = tk.credentials.of_account(account)
                if store:
                    await own.store(provider="openai", secret=Secret(f"sk-of-{account}"))
                (kept,) = await own.list()
                found.append((await own.load(kept.id)).secret.reveal())
        return found

    with contextlib.chdir(cli.folder):
        return asyncio.run(work())


def test_values_are_read_after_every_rotation(cli: Cli) -> None:
    first = cli.here("secrets", "keyring", "new", "kek.ring", "--json").json()["primary"]
    (cli.folder / "tollkeeper.toml").write_text(
        f'[local]\nkey_encryption = "keyring://{cli.folder}/kek.ring"\n'
        '[local.chat_models]\nopenai = "openai+http://127.0.0.1:9/v1"\n'
    )
    kept = credentials(cli, store=True)
    assert kept == ["sk-of-acme", "sk-of-other"]
    second = cli.here("secrets", "keyring", "add", "kek.ring", "--json").json()["primary"]

    wrapped = rotate(cli)["encryption"]
    assert (wrapped["rewrapped"], wrapped["values"]) == (2, 0)
    assert wrapped["data_keys_under"] == {second: 2}
    cli.here("secrets", "keyring", "disable", "kek.ring", first)
    assert credentials(cli) == kept

    anew = rotate(cli, "--data-keys")["encryption"]
    assert (anew["replaced"], anew["values"], anew["destroyed"]) == (2, 2, 2)
    assert anew["data_keys_under"] == {second: 2}
    assert credentials(cli) == kept

    ran = cli.here("secrets", "rotate")
    assert "2 data keys: 0 wrapped anew" in ran.out
    assert second in ran.out
    assert "may be disabled" in ran.err
