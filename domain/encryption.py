"""Encryption at rest: the keys of it.

Each account has data keys of its own, which encrypt its values; a key-encryption key wraps those
(envelope encryption). See :mod:`tollkeeper.domain.sealed_values` for the values.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from attrs import evolve, field, frozen

from tollkeeper.domain.checks import checked_account, checked_text
from tollkeeper.domain.errors import Conflict, InvalidRequest

AES_256_GCM = 1
AES_256_GCM_SIV = 2
ALGORITHMS = frozenset({AES_256_GCM, AES_256_GCM_SIV})
KEY_BYTES = 32
"""Bytes of a data key, and of a key-encryption key."""
COMMITMENT_BYTES = 16
NONCE_BYTES = 12
TAG_BYTES = 16
LARGEST_PLAINTEXT = 1 << 20
"""Bytes: what is larger belongs into a file store, with a key of its own."""
_DATA_KEY_ID = re.compile(r"[A-Za-z0-9_]{1,64}")
_LONGEST_KEK_ID = 512
_LARGEST_WRAPPED = 6144
"""Bytes: the largest that any key management service hands out (AWS KMS)."""
_MOST_CONTEXT = 8


def length_prefixed(*parts: bytes) -> bytes:
    """Write *parts* one after the other, each after its length in 4 bytes.

    Other parts, or parts divided otherwise, never give the same bytes.
    """
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def checked_context(context: Mapping[str, str]) -> Mapping[str, str]:
    """Return *context*: 1-8 names with their values, each 1-255 printable characters.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not isinstance(context, Mapping) or not 1 <= len(context) <= _MOST_CONTEXT:
        raise InvalidRequest(
            f"context must map 1-{_MOST_CONTEXT} names to texts", code="invalid_context"
        )
    for name, value in context.items():
        for text in (name, value):
            if not isinstance(text, str) or not 1 <= len(text) <= 255 or not text.isprintable():
                raise InvalidRequest(
                    "a name and a value of a context are 1-255 printable characters",
                    code="invalid_context",
                )
    return context


def is_data_key_id(text: str) -> bool:
    """Whether *text* is 1-64 letters, digits and ``_``."""
    return _DATA_KEY_ID.fullmatch(text) is not None


def checked_data_key_id(data_key_id: str) -> str:
    """Return *data_key_id*: 1-64 letters, digits and ``_``.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not isinstance(data_key_id, str) or not is_data_key_id(data_key_id):
        raise InvalidRequest(
            "a data key's id is 1-64 letters, digits or _", code="invalid_data_key_id"
        )
    return data_key_id


def checked_algorithm(algorithm: int) -> int:
    """Return *algorithm*: 1 (AES-256-GCM) or 2 (AES-256-GCM-SIV).

    Raises:
        InvalidRequest: it is anything else.
    """
    if type(algorithm) is not int or algorithm not in ALGORITHMS:
        raise InvalidRequest(
            "algorithm must be 1 (AES-256-GCM) or 2 (AES-256-GCM-SIV)", code="invalid_algorithm"
        )
    return algorithm


def is_key(key: bytes) -> bool:
    """Whether *key* is 32 bytes; it raises nothing, so that no traceback holds the key."""
    return isinstance(key, bytes) and len(key) == KEY_BYTES


def not_a_key() -> InvalidRequest:
    """Make the answer to what is no key; the text does not tell what it is."""
    return InvalidRequest(f"a key is {KEY_BYTES} bytes", code="invalid_encryption_key")


@frozen
class WrappedKey:
    """A data key, encrypted under the key-encryption key *kek_id*.

    The *ciphertext* is at most 6,144 bytes, and empty once the key is destroyed.
    """

    kek_id: str
    ciphertext: bytes = field(repr=False)

    def __attrs_post_init__(self) -> None:
        checked_text(self.kek_id, field="kek_id", longest=_LONGEST_KEK_ID)
        if not self.kek_id:
            raise InvalidRequest("kek_id must not be empty")
        if not isinstance(self.ciphertext, bytes) or len(self.ciphertext) > _LARGEST_WRAPPED:
            raise InvalidRequest(
                f"a wrapped key is at most {_LARGEST_WRAPPED} bytes", code="invalid_wrapped_key"
            )


class DataKeyState(StrEnum):
    """What a data key is good for; it goes forward only."""

    PRIMARY = "primary"
    """Encrypts and decrypts; an account has one at most."""
    READABLE = "readable"
    """Decrypts what it encrypted before."""
    DESTROYED = "destroyed"
    """Nothing, for ever."""


@frozen
class DataKey:
    """A data key of *account*, as it is stored: wrapped, never plain.

    *commitment* is 16 bytes that only the right key gives (see ``ports/cipher.py``). *version*
    goes up with each change, for compare-and-swap.
    """

    id: str = field(converter=checked_data_key_id)
    account: str = field(converter=checked_account)
    algorithm: int = field(converter=checked_algorithm)
    wrapped: WrappedKey
    commitment: bytes = field(repr=False)
    state: DataKeyState = field(converter=DataKeyState)
    created_at: datetime
    version: int = 1

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.commitment, bytes) or len(self.commitment) != COMMITMENT_BYTES:
            raise InvalidRequest(f"a commitment is {COMMITMENT_BYTES} bytes")
        if (self.state is DataKeyState.DESTROYED) == bool(self.wrapped.ciphertext):
            raise InvalidRequest("a data key has a ciphertext until it is destroyed")

    def retire(self) -> "DataKey":
        """Let the key encrypt no more.

        Raises:
            Conflict: it is not primary.
        """
        if self.state is not DataKeyState.PRIMARY:
            raise Conflict(f"the data key is {self.state}", code="data_key_not_primary")
        return evolve(self, state=DataKeyState.READABLE, version=self.version + 1)

    def rewrap(self, wrapped: WrappedKey) -> "DataKey":
        """Keep the same key, *wrapped* anew.

        Raises:
            Conflict: it is destroyed.
        """
        if self.state is DataKeyState.DESTROYED:
            raise destroyed()
        return evolve(self, wrapped=wrapped, version=self.version + 1)

    def destroy(self) -> "DataKey":
        """End the key for good: its ciphertext goes; a destroyed key stays as it is."""
        if self.state is DataKeyState.DESTROYED:
            return self
        return evolve(
            self,
            state=DataKeyState.DESTROYED,
            wrapped=WrappedKey(self.wrapped.kek_id, b""),
            version=self.version + 1,
        )


def destroyed() -> Conflict:
    """Make the answer to whoever needs a data key that was destroyed."""
    return Conflict(
        "the data key of this value was destroyed; the value cannot be read again, by anyone",
        code="data_key_destroyed",
    )
