"""The secret that API keys are checked with, where settings give none."""

import os
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.key_tokens import Pepper
from tollkeeper.infra.registry import scheme_of
from tollkeeper.infra.settings import Settings


def peppers_of(settings: Settings) -> tuple[Pepper, ...]:
    """Return the peppers, the current one first.

    Settings of a real environment always give one. For ``local`` and ``test`` it is made on
    first use: kept in a file of mode 0600 beside a SQLite store, or in memory for others.

    Raises:
        ConfigurationError: the file cannot be read or written, or was tampered with.
    """
    if settings.key_pepper is not None:
        given = (settings.key_pepper, *settings.retired_key_peppers)
        return tuple(Pepper(secret.reveal().encode()) for secret in given)
    if scheme_of(settings.store) != "sqlite":
        return (Pepper(secrets.token_bytes(32)),)
    database = Path(unquote(urlsplit(settings.store).path)[1:])
    if not database.name:
        raise ConfigurationError("store: the URL names no file; write sqlite:///name.db")
    try:
        path = database.with_suffix(".pepper").absolute()
    except OSError as error:
        raise ConfigurationError(
            "store: the working directory does not exist any more; change to another, or write "
            "sqlite:////folder/name.db"
        ) from error
    try:
        return (Pepper(_read_or_make(path)),)
    except OSError as error:
        raise ConfigurationError(
            f"cannot keep a key pepper in {path.name} ({error.strerror}); make its folder "
            "writable, or set TOLLKEEPER_KEY_PEPPER"
        ) from error


def check_lent_keys(settings: Settings) -> None:
    """Check that keys in a store that the host lent have a pepper that lasts as long as they.

    Where that store keeps them is not known here, and the file of another store is no place for
    their pepper. Only ``store = "memory://"`` says that they end with the process.

    Raises:
        ConfigurationError: no pepper is set.
    """
    if settings.key_pepper is None and scheme_of(settings.store) != "memory":
        raise ConfigurationError(
            "key_pepper: a lent store needs one that lasts as long as its keys; make it with "
            '`openssl rand -hex 32` and set TOLLKEEPER_KEY_PEPPER (or store = "memory://" if '
            "the keys end with the process)"
        )


def _read_or_make(path: Path) -> bytes:
    if not path.exists():
        # Written aside and linked into place, so that of two processes that start at once one
        # wins and both read the same whole file.
        aside = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            pass  # the other process won
        finally:
            aside.unlink()
    try:
        value = bytes.fromhex(path.read_text("ascii"))
    except ValueError:
        value = b""
    if len(value) != 32:
        raise ConfigurationError(
            f"the key pepper in {path.name} is damaged; restore it from a backup (every key "
            "depends on it), or delete it to start afresh: all keys issued so far then end"
        )
    return value
