"""Ciphers with one fault each, for their suite to find."""

import hashlib
import os
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tollkeeper.adapters.cryptography.cipher import CryptographyCipher, CryptographyKeyedCipher
from tollkeeper.domain.encryption import is_key, not_a_key
from tollkeeper.domain.errors import CorruptResponse
from tollkeeper.ports.cipher import KeyedCipher


class SoundKeyed:
    """Passes everything on, and with that keeps all but one thing: see ``HoldsTexts``."""

    def __init__(self, key: bytes) -> None:
        self._keyed = CryptographyCipher().keyed(key)

    def encrypt(self, plaintext: bytes, *, associated_data: bytes) -> bytes:
        return self._keyed.encrypt(plaintext, associated_data=associated_data)

    def decrypt(self, body: bytes, *, associated_data: bytes) -> bytes:
        return self._keyed.decrypt(body, associated_data=associated_data)


class SoundCipher:
    """Keeps the contract as far, with the *kind* of keyed cipher that a subclass names."""

    kind: type[SoundKeyed] = SoundKeyed

    @property
    def algorithm(self) -> int:
        return 1

    def commitment(self, key: bytes) -> bytes:
        return CryptographyCipher().commitment(key)

    def keyed(self, key: bytes) -> KeyedCipher:
        return self.kind(key)


class NoKnownAlgorithm(SoundCipher):
    """Has a number of its own."""

    @property
    def algorithm(self) -> int:
        return 3


class _OneNonce(SoundKeyed):
    """Keeps what it encrypted, to hand it out again."""

    kept: dict[tuple[bytes, bytes], bytes]

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.kept = {}

    def encrypt(self, plaintext: bytes, *, associated_data: bytes) -> bytes:
        name = plaintext, associated_data
        if name not in self.kept:
            self.kept[name] = super().encrypt(plaintext, associated_data=associated_data)
        return self.kept[name]


class OneNonce(SoundCipher):
    """Encrypts the same text to the same bytes."""

    kind = _OneNonce


class _ChangesNonces(SoundKeyed):
    """Forgets which nonce it used."""

    def encrypt(self, plaintext: bytes, *, associated_data: bytes) -> bytes:
        body = super().encrypt(plaintext, associated_data=associated_data)
        return hashlib.sha256(body[:2]).digest()[:12] + body[12:]


class ChangesNonces(SoundCipher):
    """Puts another nonce before the text than it was encrypted with."""

    kind = _ChangesNonces


class _Padded(SoundKeyed):
    """Adds a byte that it takes away again, whatever it is."""

    def encrypt(self, plaintext: bytes, *, associated_data: bytes) -> bytes:
        return super().encrypt(plaintext, associated_data=associated_data) + b"\0"

    def decrypt(self, body: bytes, *, associated_data: bytes) -> bytes:
        return super().decrypt(body[:-1], associated_data=associated_data)


class Padded(SoundCipher):
    """Has a byte in its bodies that nothing protects."""

    kind = _Padded


class _NoData(SoundKeyed):
    """Forgets the associated data."""

    def encrypt(self, plaintext: bytes, *, associated_data: bytes) -> bytes:
        return super().encrypt(plaintext, associated_data=b"")

    def decrypt(self, body: bytes, *, associated_data: bytes) -> bytes:
        return super().decrypt(body, associated_data=b"")


class NoData(SoundCipher):
    """Binds nothing to its place."""

    kind = _NoData


class _ReturnsTheInput(SoundKeyed):
    """Hands out what it cannot decrypt."""

    def decrypt(self, body: bytes, *, associated_data: bytes) -> bytes:
        try:
            return super().decrypt(body, associated_data=associated_data)
        except CorruptResponse:
            return body


class ReturnsTheInput(SoundCipher):
    """Takes what it cannot decrypt for plain."""

    kind = _ReturnsTheInput


class _LetsErrorsThrough(SoundKeyed):
    """Lets the library speak."""

    def decrypt(self, body: bytes, *, associated_data: bytes) -> bytes:
        return super().decrypt(memoryview(body).tobytes(), associated_data=associated_data)


class LetsErrorsThrough(SoundCipher):
    """Raises what the library raises."""

    kind = _LetsErrorsThrough


class _TakesAnything(SoundKeyed):
    """Encrypts what is no bytes, and any size."""

    def encrypt(self, plaintext: Any, *, associated_data: Any) -> bytes:
        text = str(plaintext).encode()[:99] if type(plaintext) is not bytes else plaintext
        return super().encrypt(text[: 1 << 20], associated_data=b"")


class TakesAnything(SoundCipher):
    """Refuses nothing."""

    kind = _TakesAnything


class _KeyAnew(SoundKeyed):
    """Draws a part of its key at each start."""

    def __init__(self, key: bytes) -> None:
        super().__init__(os.urandom(32))


class KeyAnew(SoundCipher):
    """Reads what it wrote itself, and nothing of another instance."""

    kind = _KeyAnew


class OneKey(SoundCipher):
    """Uses one key for all."""

    def keyed(self, key: bytes) -> KeyedCipher:
        super().keyed(key)
        return SoundKeyed(bytes(32))


class _Plain(SoundKeyed):
    """Writes the text beside the encrypted one."""

    def encrypt(self, plaintext: bytes, *, associated_data: bytes) -> bytes:
        body = super().encrypt(plaintext, associated_data=associated_data)
        return body + plaintext

    def decrypt(self, body: bytes, *, associated_data: bytes) -> bytes:
        half = 28 + (len(body) - 28) // 2
        return super().decrypt(body[:half], associated_data=associated_data)


class Plain(SoundCipher):
    """Can be read by anyone."""

    kind = _Plain


class CutsKeys(SoundCipher):
    """Fits keys of another size."""

    def keyed(self, key: bytes) -> KeyedCipher:
        return super().keyed(bytes(key)[:32].ljust(32, b"\0") if key else bytes(32))


class CommitsToHalf(SoundCipher):
    """Commits to the first half of a key."""

    def commitment(self, key: bytes) -> bytes:
        super().commitment(key)
        return hashlib.sha256(key[:16]).digest()[:16]


class CommitsWithTheKey(SoundCipher):
    """Hands a part of the key out as its commitment."""

    def commitment(self, key: bytes) -> bytes:
        return key[:2] + super().commitment(key)[:11] + key[:3]


class CommitsToAnyKey(SoundCipher):
    """Commits to what is no key."""

    def commitment(self, key: bytes) -> bytes:
        return hashlib.sha256(bytes(key or b"")).digest()[:16]


class _ShowsKeys(CryptographyKeyedCipher):
    """Tells its key."""

    def __init__(self, key: bytes) -> None:
        super().__init__(AESGCM(key))
        object.__setattr__(self, "key", key)

    def __repr__(self) -> str:
        return f"ShowsKeys({vars(self)!r})"


class ShowsKeys(CryptographyCipher):
    """Has its key in its repr."""

    def keyed(self, key: bytes) -> CryptographyKeyedCipher:
        if not is_key(key):
            del key
            raise not_a_key()
        return _ShowsKeys(key)


class _HoldsTexts(SoundKeyed):
    """Holds the text in a frame that raises, as whoever just passes it on does."""


class HoldsTexts(CryptographyCipher):
    """Shows texts in tracebacks with locals."""

    def keyed(self, key: bytes) -> Any:
        if not is_key(key):
            del key
            raise not_a_key()
        return _HoldsTexts(key)


class _NotForThreads(SoundKeyed):
    """Keeps the associated data of the last call between two steps."""

    def encrypt(self, plaintext: bytes, *, associated_data: bytes) -> bytes:
        self.data = associated_data
        os.sched_yield()
        return super().encrypt(plaintext, associated_data=self.data)


class NotForThreads(SoundCipher):
    """Mixes the calls of threads up."""

    kind = _NotForThreads
