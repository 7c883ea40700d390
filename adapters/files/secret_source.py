"""Secrets in files, one for each."""

import os
import re
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from anyio import to_thread
from attrs import frozen

from tollkeeper.domain.errors import ConfigurationError, NotFound, Unavailable
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.secret_versions import SecretVersions

PREVIOUS = ".previous"
"""Ends the name of the file that holds what a secret was before."""
_READINGS = 5
LARGEST_FILE = 65_536
"""Bytes; what is larger is no secret, but a mistake."""
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,253}")
_SETTLED = 2_000_000_000
"""Nanoseconds: a file that was changed longer ago than this cannot change again unseen."""
_REMEDY = "secrets: write file:///run/secrets, the absolute name of a folder"
# A pipe must not hold us up; Windows has neither such pipes nor the flag.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_Print = tuple[int, int, int, int]


@frozen
class _Kept:
    fingerprint: _Print
    secret: Secret


class FilesSecretSource:
    """Reads secrets from the files of *folder*, where Docker and Kubernetes mount them.

    A secret's name is the file's, one segment of letters, digits and ``._-``; links are followed.
    One line end after the text is cut off, and an empty file counts as none. A file is read again
    when it was replaced or changed, in a thread.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, _Kept] = {}

    @classmethod
    def from_url(cls, url: str, *, environ: Mapping[str, str] | None = None) -> Self:
        """Make one from ``file:///run/secrets``; no variable is looked at.

        Raises:
            ConfigurationError: *url* reads otherwise.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ConfigurationError(_REMEDY) from None
        path = unquote(parts.path)
        if (
            parts.scheme != "file"
            or parts.netloc
            or parts.query
            or parts.fragment
            or not path.startswith("/")
            or not path.isprintable()
        ):
            raise ConfigurationError(_REMEDY)
        return cls(Path(path))

    def __repr__(self) -> str:
        return f"FilesSecretSource({str(self._folder)!r})"

    async def secret(self, name: str) -> Secret:
        """Return what stands in the file *name*.

        Raises:
            NotFound: there is no such file, or it is empty (code ``secret_not_found``).
            Unavailable: the folder or the file cannot be read.
            ConfigurationError: the file is too large, or no text in UTF-8.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _not_found(name)
        return await to_thread.run_sync(self._secret, name)

    async def versions(self, name: str) -> SecretVersions:
        """Return what stands in the file *name*, and in the file *name* with ``.previous``.

        Write the previous one first: who reads in between then sees what was current twice.

        Raises:
            NotFound: there is no file *name*, or it is empty (code ``secret_not_found``).
            Unavailable: a file cannot be read, or does not stay the same for long enough.
            ConfigurationError: a file is too large, or no text in UTF-8.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _not_found(name)
        return await to_thread.run_sync(self._versions, name)

    async def health(self) -> str:
        """List the folder once."""
        names = await to_thread.run_sync(self._names)
        return f"the folder {self._folder.name}, {len(names)} files"

    def _names(self) -> list[str]:
        try:
            return [each.name for each in os.scandir(self._folder) if each.is_file()]
        except OSError as error:
            raise _unavailable() from error

    def _versions(self, name: str) -> SecretVersions:
        for _ in range(_READINGS):
            current = self._secret(name)
            previous = None
            if _NAME.fullmatch(name + PREVIOUS):
                with suppress(NotFound):
                    previous = self._secret(name + PREVIOUS)
            # What changed between the two readings would not belong together.
            if self._secret(name) == current:
                return SecretVersions(current, previous)
        raise _unavailable()

    def _secret(self, name: str) -> Secret:
        try:
            file = os.open(self._folder / name, _FLAGS)
        except FileNotFoundError:
            self._kept.pop(name, None)
            if not self._folder.is_dir():
                # An unmounted folder is an outage: it says nothing about the secret.
                raise _unavailable() from None
            raise _not_found(name) from None
        except OSError as error:
            raise _unavailable() from error
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise _not_found(name)
            fingerprint = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
            kept = self._kept.get(name)
            if kept is not None and kept.fingerprint == fingerprint:
                return kept.secret
            secret = _read(file, name)
        except OSError as error:
            raise _unavailable() from error
        finally:
            os.close(file)
        if not secret:
            raise _not_found(name)
        # File systems tell the time in ticks: two changes within one look like one.
        if time.time_ns() - found.st_mtime_ns > _SETTLED:
            self._kept[name] = _Kept(fingerprint, secret)
        return secret


def _read(file: int, name: str) -> Secret:
    with open(file, "rb", closefd=False) as opened:
        text = _decoded(opened.read(LARGEST_FILE + 1))
    if text is None:
        raise ConfigurationError(
            f"secrets: the file {name} is no text in UTF-8 of at most {LARGEST_FILE} bytes; write "
            "the secret alone"
        )
    return text


def _decoded(content: bytes) -> Secret | None:
    # Errors of the codec hold what they could not decode: none of them leaves this function.
    if len(content) > LARGEST_FILE:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return Secret(text.removesuffix("\n").removesuffix("\r"))


def _not_found(name: object) -> NotFound:
    return NotFound(f"no secret is called {name!a}: no such file", code="secret_not_found")


def _unavailable() -> Unavailable:
    return Unavailable(
        "the folder of the secrets, or a file in it, cannot be read; check that it is mounted, and "
        "its permissions",
        port="secret_source",
        adapter="files",
    )
