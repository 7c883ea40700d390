"""A keyring: key-encryption keys as lines of text, one of them primary.

::

    # id                 key (base64 of 32 bytes)  state     created
    kek_5f0d8a1be2c34769 Zm9…=                     primary   2026-01-31T09:00:00Z
    kek_a81c3e55d0772b14 c2V…=                     readable  2025-01-31T09:00:00Z

A line that begins with ``#`` is skipped. In a text of one line, as variables often hold, each
``;`` ends a line.
"""

import base64
import binascii
import hashlib
import os
from collections import Counter
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Self

from attrs import evolve, frozen
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tollkeeper.domain.encryption import KEY_BYTES
from tollkeeper.domain.errors import ConfigurationError, Conflict, NotFound
from tollkeeper.domain.secret import Secret

MOST_KEYS = 100
_FEWEST_BYTES = 16
"""Different bytes in a key of 32: by chance, a random key has about 30, and never so few."""
_HEAD = (
    "# Tollkeeper's keyring. Whoever has it reads everything, without it nobody reads anything:\n"
    "# keep a copy in a safe place. One key a line: id, key, state, when it was made.\n"
)


class KekState(StrEnum):
    """What a key-encryption key is good for."""

    PRIMARY = "primary"
    """Wraps and unwraps; a keyring has exactly one."""
    READABLE = "readable"
    """Unwraps what it wrapped before."""
    DISABLED = "disabled"
    """Nothing, until it is made readable again."""


@frozen
class KeyEncryptionKey:
    """A key-encryption key; *text* is its base64. The id follows from the key and does not tell it.

    Since the id is the key's own, a key that was mistyped or mixed up is noticed.
    """

    id: str
    text: Secret
    state: KekState
    created_at: datetime

    @classmethod
    def made_of(cls, key: bytes, *, state: KekState, at: datetime) -> Self:
        """Keep *key*, 32 bytes, under its id."""
        return cls(kek_id(key), Secret(base64.b64encode(key).decode()), state, at)

    def cipher(self) -> AESGCM:
        """Return the cipher under the key."""
        return AESGCM(base64.b64decode(self.text.reveal()))

    def line(self) -> str:
        """Write the key as a line of a keyring."""
        at = self.created_at.astimezone(UTC).isoformat(timespec="seconds")
        return f"{self.id} {self.text.reveal()} {self.state} {at.replace('+00:00', 'Z')}"


@frozen
class Keyring:
    """Key-encryption keys, exactly one of which is primary; no repr shows a key."""

    keys: tuple[KeyEncryptionKey, ...]

    @classmethod
    def new(cls, *, at: datetime) -> Self:
        """Make one with a new random key."""
        return cls((_random_key(at),))

    @classmethod
    def parse(cls, text: Secret, *, name: str) -> Self:
        """Read a keyring.

        Raises:
            ConfigurationError: it is malformed, or a key in it is weak; each fault tells *name*
                and its line, and nothing of what stands there.
        """
        keys, faults = _read(text)
        if not faults:
            primaries = sum(key.state is KekState.PRIMARY for key in keys)
            if primaries != 1:
                faults.append(f"it has {primaries} primary keys; mark exactly one")
            twice = [each for each, count in Counter(key.id for key in keys).items() if count > 1]
            faults += [f"the key {each} stands in it twice; take one line away" for each in twice]
        if faults:
            raise ConfigurationError([f"key_encryption: {name}: {fault}" for fault in faults])
        return cls(tuple(keys))

    @property
    def primary(self) -> KeyEncryptionKey:
        """The key that wraps."""
        return next(key for key in self.keys if key.state is KekState.PRIMARY)

    def find(self, kek_id: str) -> KeyEncryptionKey | None:
        """Return the key of that id, if it is here."""
        return next((key for key in self.keys if key.id == kek_id), None)

    def with_new_primary(self, *, at: datetime) -> Self:
        """Add a new random key that wraps from now on; the former one stays readable.

        Raises:
            Conflict: the keyring is full.
        """
        if len(self.keys) >= MOST_KEYS:
            raise Conflict(
                f"the keyring has {MOST_KEYS} keys; re-wrap the data keys and take old lines away",
                code="keyring_full",
            )
        former = (
            evolve(key, state=KekState.READABLE) if key.state is KekState.PRIMARY else key
            for key in self.keys
        )
        return evolve(self, keys=(_random_key(at), *former))

    def with_disabled(self, kek_id: str) -> Self:
        """Disable a key.

        Raises:
            NotFound: it is not here.
            Conflict: it is the primary.
        """
        key = self.find(kek_id)
        if key is None:
            raise NotFound(f"the keyring has no key {kek_id!a}", code="kek_not_found")
        if key.state is KekState.PRIMARY:
            raise Conflict(
                "the primary key wraps; add a new primary first, and re-wrap the data keys",
                code="kek_primary",
            )
        disabled = evolve(key, state=KekState.DISABLED)
        return evolve(self, keys=tuple(disabled if each is key else each for each in self.keys))

    def text(self) -> Secret:
        """Write the keyring."""
        return Secret(_HEAD + "".join(f"{key.line()}\n" for key in self.keys))


def kek_id(key: bytes) -> str:
    """Name *key* without telling it."""
    return f"kek_{hashlib.sha256(b'kek-id/v1' + bytes(1) + key).hexdigest()[:16]}"


def _random_key(at: datetime) -> KeyEncryptionKey:
    return KeyEncryptionKey.made_of(os.urandom(KEY_BYTES), state=KekState.PRIMARY, at=at)


def _read(text: Secret) -> tuple[list[KeyEncryptionKey], list[str]]:
    """Read all lines, and say what is wrong with them; raises nothing that could show a key."""
    end = "\n" if "\n" in text.reveal().strip() else ";"
    lines = [line.strip() for line in text.reveal().split(end)]
    keys: list[KeyEncryptionKey] = []
    faults: list[str] = []
    if sum(bool(line) and line[0] != "#" for line in lines) > MOST_KEYS:
        return [], [f"it has more than {MOST_KEYS} keys; take old lines away"]
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        read = _read_line(line)
        if isinstance(read, str):
            faults.append(f"line {number}: {read}")
        else:
            keys.append(read)
    return keys, faults


def _read_line(line: str) -> KeyEncryptionKey | str:
    words = line.split()
    if len(words) != 4:
        return "write id, key, state and time, with spaces between them"
    name, text, state, time = words
    key = _decoded(text)
    if key is None:
        return f"the key is no base64 of {KEY_BYTES} bytes"
    if _is_weak(key):
        return "the key is weak: it must be random bytes; make a new one"
    if name != kek_id(key):
        return "the id is not this key's: the line was edited, or lines were mixed up"
    if state not in set(KekState):
        return "the state must be primary, readable or disabled"
    at = _time(time)
    if at is None:
        return "the time must read like 2026-01-31T09:00:00Z"
    return KeyEncryptionKey(name, Secret(text), KekState(state), at)


def _decoded(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    # Base64 has more than one way to write some bytes; one is enough.
    same = base64.b64encode(key).decode() == text
    return key if same and len(key) == KEY_BYTES else None


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if at.tzinfo is None else at


def _is_weak(key: bytes) -> bool:
    """Whether *key* looks made up: few different bytes, steps of one size, or typed text."""
    steps = {(after - before) % 256 for before, after in pairwise(key)}
    typed = all(32 <= each < 127 for each in key)
    return len(set(key)) < _FEWEST_BYTES or len(steps) < _FEWEST_BYTES // 2 or typed
