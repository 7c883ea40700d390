"""Secrets: make strong ones, keep a keyring, and move all that is kept to the newest."""

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.infra.cli.output import note, print_json, say, write
from tollkeeper.infra.cli.secrets_rotation import rotate
from tollkeeper.infra.lazy import Lazy

_FILE = "tollkeeper.adapters.cryptography.keyring_file"
_NEW = Lazy(f"{_FILE}:new_keyring", extra="cryptography")
_ADD = Lazy(f"{_FILE}:add_primary", extra="cryptography")
_DISABLE = Lazy(f"{_FILE}:disable_key", extra="cryptography")
_SECRET_BYTES = 32

app = typer.Typer(
    no_args_is_help=True, help="Make secrets and keyrings, and move what is kept to the newest."
)
keyring = typer.Typer(
    no_args_is_help=True, help="Keep the keys that wrap the data keys, in a file."
)
app.add_typer(keyring, name="keyring")
app.command()(rotate)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="The keyring.")]


@app.command()
def generate(*, as_json: Json = False) -> None:
    """Print one strong random secret, such as for key_pepper: 32 bytes in hexadecimal."""
    secret = secrets.token_hex(_SECRET_BYTES)
    if as_json:
        print_json({"secret": secret, "bytes": _SECRET_BYTES})
    else:
        write(f"{secret}\n")


@keyring.command()
def new(file: File, *, as_json: Json = False) -> None:
    """Write a keyring with one new key, for its owner alone; nothing is ever overwritten."""
    kek_id = _NEW(_checked(file), at=datetime.now(UTC))
    if as_json:
        print_json({"file": str(file), "primary": kek_id})
        return
    say(f"made {file}; {kek_id} wraps the data keys")
    note(
        f"keep a copy in a safe place: without it nothing can be read. The setting is\n"
        f'key_encryption = "keyring://{file.absolute()}"'
    )


@keyring.command()
def add(file: File, *, as_json: Json = False) -> None:
    """Add a new key that wraps from now on; the one before goes on reading what it wrapped."""
    kek_id = _ADD(_checked(file), at=datetime.now(UTC))
    if as_json:
        print_json({"file": str(file), "primary": kek_id})
        return
    say(f"{kek_id} wraps the data keys from now on")
    note("`tollkeeper secrets rotate` wraps the data keys that are there under it")


@keyring.command()
def disable(
    file: File,
    kek_id: Annotated[str, typer.Argument(metavar="KEK_ID", help="The key's id, in the keyring.")],
    *,
    as_json: Json = False,
) -> None:
    """Let a key of the keyring rest: what it wrapped cannot be read until it is readable again."""
    _DISABLE(_checked(file), kek_id)
    if as_json:
        print_json({"file": str(file), "disabled": kek_id})
    else:
        say(f"disabled {kek_id}")


def _checked(file: Path) -> Path:
    """Return *file*, if it can be the name of one.

    Raises:
        InvalidRequest: it cannot.
    """
    if "\0" in str(file) or not file.name:
        raise InvalidRequest("FILE names no file")
    return file
