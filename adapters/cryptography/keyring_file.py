"""A keyring in a file, which one process changes while others read it."""

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from tollkeeper.adapters.cryptography.keyring import Keyring
from tollkeeper.domain.errors import ConfigurationError, Conflict, Unavailable
from tollkeeper.domain.secret import Secret

LARGEST_FILE = 65_536
"""Bytes; what is larger is no keyring, but a mistake."""
_MODE = 0o600
_OTHERS = 0o077
_SETTLED = 2_000_000_000
"""Nanoseconds: a file that was changed longer ago than this cannot change again unseen."""
# A pipe must not hold us up; Windows has neither such pipes nor the flag.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_Print = tuple[int, int, int, int]


class KeyringFile:
    """Reads the keyring at *path*, anew when the file was replaced or changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: tuple[_Print, Keyring] | None = None

    def read(self) -> Keyring:
        """Return the keyring as it is now; blocks for a moment.

        Raises:
            Unavailable: there is no file, or it cannot be read.
            ConfigurationError: it is no keyring, or others than its owner may read it.
        """
        try:
            file = os.open(self.path, _FLAGS)
        except OSError as error:
            raise _unavailable(self.path) from error
        try:
            found = os.fstat(file)
            _check(found, self.path)
            fingerprint = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
            kept = self._kept
            if kept is not None and kept[0] == fingerprint:
                return kept[1]
            text = _text(file)
        except OSError as error:
            raise _unavailable(self.path) from error
        finally:
            os.close(file)
        if text is None:
            raise ConfigurationError(
                f"key_encryption: {self.path.name} is no text in UTF-8 of at most {LARGEST_FILE} "
                "bytes; name a keyring"
            )
        keyring = Keyring.parse(text, name=self.path.name)
        # File systems tell the time in ticks: two changes within one look like one.
        if time.time_ns() - found.st_mtime_ns > _SETTLED:
            self._kept = (fingerprint, keyring)
        return keyring


def new_keyring(path: Path, *, at: datetime) -> str:
    """Write a keyring with one new key to *path*, for its owner alone; return the key's id.

    Raises:
        Conflict: something is there already (code ``keyring_exists``).
        Unavailable: the folder cannot be written.
    """
    with _locked(path):
        if os.path.lexists(path):
            raise Conflict(
                f"{path.name} is there already; a keyring is never overwritten: add a new primary "
                "key to it, or name another file",
                code="keyring_exists",
            )
        keyring = Keyring.new(at=at)
        _write(path, keyring, like=None)
    return keyring.primary.id


def add_primary(path: Path, *, at: datetime) -> str:
    """Add a new key that wraps from now on to the keyring at *path*; return its id.

    The former primary stays readable. Processes that use the file see the new key at once.

    Raises:
        Unavailable: the file cannot be read or written; it is then as it was.
        ConfigurationError: it is no sound keyring.
        Conflict: it is full (code ``keyring_full``).
    """
    return _changed(path, lambda keyring: keyring.with_new_primary(at=at)).primary.id


def disable_key(path: Path, kek_id: str) -> None:
    """Disable the key *kek_id* of the keyring at *path*: what it wrapped cannot be read then.

    Raises:
        NotFound: it is not there (code ``kek_not_found``).
        Conflict: it is the primary (code ``kek_primary``).
        Unavailable: the file cannot be read or written; it is then as it was.
        ConfigurationError: it is no sound keyring.
    """
    _changed(path, lambda keyring: keyring.with_disabled(kek_id))


def _changed(path: Path, change: Callable[[Keyring], Keyring]) -> Keyring:
    # Where the name is a link, the file that it leads to is replaced, and the link stays.
    path = Path(os.path.realpath(path))
    with _locked(path):
        keyring = change(KeyringFile(path).read())
        _write(path, keyring, like=os.stat(path))
    return keyring


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep others from changing the keyring meanwhile: two that did would lose a key."""
    import fcntl  # here, since a keyring can be read, not changed, where there is none: Windows

    folder = None
    try:
        folder = os.open(path.parent, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    except OSError as error:
        raise _unavailable(path) from error
    finally:
        if folder is not None:
            os.close(folder)


def _write(path: Path, keyring: Keyring, *, like: os.stat_result | None) -> None:
    """Put *keyring* in the place of the file at *path*, in one step, so that a crash leaves one."""
    new = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    file = os.open(new, flags, _MODE)
    try:
        with open(file, "wb") as opened:
            if like is not None and (like.st_uid, like.st_gid) != (os.getuid(), os.getgid()):
                os.fchown(file, like.st_uid, like.st_gid)  # its readers must go on reading it
            opened.write(keyring.text().reveal().encode())
            opened.flush()
            os.fsync(file)
        os.replace(new, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(new)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(f"key_encryption: {path.name} is no file; name a keyring")
    if os.name == "posix" and stat.S_IMODE(found.st_mode) & _OTHERS:
        raise ConfigurationError(
            f"key_encryption: others than its owner may use {path.name}; run chmod 600 on it, and "
            "add a new primary key if they did"
        )


def _text(file: int) -> Secret | None:
    """Read the file; errors of the codec hold what they could not decode: none leaves here."""
    with open(file, "rb", closefd=False) as opened:
        content = opened.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        return None
    try:
        return Secret(content.decode())
    except UnicodeDecodeError:
        return None


def _unavailable(path: Path) -> Unavailable:
    return Unavailable(
        f"the keyring {path.name} cannot be read or written; check that it is mounted, and its "
        "permissions, or make a new one",
        port="key_encryption",
        adapter="cryptography",
    )
