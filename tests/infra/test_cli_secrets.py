"""`tollkeeper secrets`: strong secrets, and keyrings."""

import re
import stat
from pathlib import Path

import pytest

from tests.infra.cli_runs import Cli, refused, without
from tollkeeper.adapters.cryptography.keyring_file import KeyringFile
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.secret_strength import is_weak
from tollkeeper.infra.settings import Settings


def test_generated_secret_is_strong_and_stands_alone(cli: Cli) -> None:
    ran = cli.process("secrets", "generate")
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(r"[0-9a-f]{64}\n", ran.out)
    assert not is_weak(Secret(ran.out.strip()))
    document = cli.here("secrets", "generate", "--json").json()
    assert len(document["secret"]) == 64
    assert document["secret"] != ran.out.strip()


def test_keyring_is_made_once_and_only_ever_grows(cli: Cli) -> None:
    ran = cli.here("secrets", "keyring", "new", "kek.ring")
    file = cli.folder / "kek.ring"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = KeyringFile(file).read().primary
    assert first.id in ran.out
    (setting,) = (line for line in ran.err.splitlines() if line.startswith("key_encryption"))
    assert Settings(key_encryption=setting.split('"')[1])
    refused(cli.here("secrets", "keyring", "new", "kek.ring"), 4, "never overwritten")
    second = cli.here("secrets", "keyring", "add", "kek.ring", "--json").json()
    keyring = KeyringFile(file).read()
    assert second == {"file": "kek.ring", "primary": keyring.primary.id}
    assert [key.state for key in keyring.keys] == ["primary", "readable"]
    assert cli.here("secrets", "keyring", "disable", "kek.ring", first.id, "--json").json() == {
        "file": "kek.ring",
        "disabled": first.id,
    }
    refused(cli.here("secrets", "keyring", "disable", "kek.ring", second["primary"]), 4, "primary")
    refused(cli.here("secrets", "keyring", "disable", "kek.ring", "kek_nosuch"), 4, "kek_nosuch")
    for key in KeyringFile(file).read().keys:
        assert key.text.reveal() not in ran.out + ran.err
    added = cli.here("secrets", "keyring", "add", "kek.ring")
    assert "wraps the data keys from now on" in added.out


@pytest.mark.parametrize("command", ["new", "add"])
def test_keyring_that_cannot_be_is_one_line(cli: Cli, command: str) -> None:
    refused(cli.here("secrets", "keyring", command, "no/such/kek.ring"), 5, "kek.ring")
    refused(cli.here("secrets", "keyring", command, "."), 2, "names no file")
    if command == "add":
        refused(cli.here("secrets", "keyring", command, "kek.ring"), 5, "kek.ring")
        (cli.folder / "kek.ring").write_text("no keyring")
        (cli.folder / "kek.ring").chmod(0o600)
        refused(cli.here("secrets", "keyring", command, "kek.ring"), 2, "line 1")


def test_package_that_is_missing_is_named_with_its_extra(cli: Cli) -> None:
    ran = cli.process(
        *("secrets", "keyring", "new", "kek.ring"),
        PYTHONPATH=without(cli.folder, "cryptography"),
    )
    refused(ran, 2, "cryptography", "is not installed", "pip install 'tollkeeper[cryptography]'")
    assert not Path(cli.folder / "kek.ring").exists()
