"""AES-256-GCM and AES-256-GCM-SIV of the library ``cryptography`` (OpenSSL)."""

import os
from collections.abc import Mapping
from typing import Self

from attrs import field, frozen
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tollkeeper.domain.encryption import (
    AES_256_GCM,
    AES_256_GCM_SIV,
    COMMITMENT_BYTES,
    KEY_BYTES,
    LARGEST_PLAINTEXT,
    NONCE_BYTES,
    checked_algorithm,
    is_key,
    not_a_key,
)
from tollkeeper.domain.errors import ConfigurationError, CorruptResponse, InvalidRequest

_COMMITMENT = b"tollkeeper/data-key-commitment/v1"
_BY_URL = {"aes256-gcm:": AES_256_GCM, "aes256-gcm-siv:": AES_256_GCM_SIV}
_BY_ALGORITHM: Mapping[int, type[AESGCM] | type[AESGCMSIV]] = {
    AES_256_GCM: AESGCM,
    AES_256_GCM_SIV: AESGCMSIV,
}


@frozen(repr=False)
class CryptographyKeyedCipher:
    """A cipher with its key, which lies in the library's own memory and is not shown."""

    _aead: AESGCM | AESGCMSIV

    def __repr__(self) -> str:
        return f"CryptographyKeyedCipher({type(self._aead).__name__})"

    def encrypt(self, plaintext: bytes, *, associated_data: bytes) -> bytes:
        """Return nonce, encrypted text and tag; the nonce is the operating system's, each time.

        A process that was forked off draws other nonces than its parent.

        Raises:
            InvalidRequest: *plaintext* is no bytes or over 1 MiB, or *associated_data* no bytes.
        """
        if not isinstance(plaintext, bytes) or len(plaintext) > LARGEST_PLAINTEXT:
            del plaintext  # a traceback may show the locals of this frame
            raise InvalidRequest(
                f"a text to encrypt is bytes, at most {LARGEST_PLAINTEXT} of them",
                code="invalid_plaintext",
            )
        if not isinstance(associated_data, bytes) or len(associated_data) > LARGEST_PLAINTEXT:
            del plaintext
            raise InvalidRequest(
                f"associated_data is bytes, at most {LARGEST_PLAINTEXT} of them",
                code="invalid_associated_data",
            )
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plaintext, associated_data)

    def decrypt(self, body: bytes, *, associated_data: bytes) -> bytes:
        """Return the text.

        Raises:
            CorruptResponse: *body* is not what :meth:`encrypt` made under this key and
                *associated_data*, whatever it is (code ``decryption_failed``).
        """
        try:
            return self._aead.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], associated_data)
        # TypeError: no bytes. ValueError: the nonce is cut short.
        except (InvalidTag, TypeError, ValueError) as error:
            raise CorruptResponse(
                "a stored value cannot be decrypted: it was damaged, or moved from where it was "
                "written; look at what wrote to its column",
                port="cipher",
                adapter="cryptography",
                code="decryption_failed",
            ) from error


@frozen
class CryptographyCipher:
    """Encrypts with *algorithm*: 1 is AES-256-GCM, 2 is AES-256-GCM-SIV."""

    algorithm: int = field(default=AES_256_GCM, converter=checked_algorithm)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make one from ``aes256-gcm://`` or ``aes256-gcm-siv://``.

        Raises:
            ConfigurationError: *url* reads otherwise, or the installed library cannot do it.
        """
        algorithm = _BY_URL.get(url.removesuffix("//")) if isinstance(url, str) else None
        if algorithm is None:
            raise ConfigurationError("cipher: write aes256-gcm:// or aes256-gcm-siv://")
        try:
            _BY_ALGORITHM[algorithm](bytes(KEY_BYTES))
        except UnsupportedAlgorithm as error:
            raise ConfigurationError(
                "cipher: the OpenSSL of the installed library cryptography has no AES-GCM-SIV; "
                "write aes256-gcm://, or install cryptography from its wheel"
            ) from error
        return cls(algorithm)

    def commitment(self, key: bytes) -> bytes:
        """Return 16 bytes of HKDF-SHA-256 of *key*, another value for each algorithm.

        Raises:
            InvalidRequest: *key* is not 32 bytes.
        """
        if not is_key(key):
            del key  # a traceback may show the locals of this frame
            raise not_a_key()
        info = _COMMITMENT + bytes((self.algorithm,))
        derivation = HKDF(algorithm=SHA256(), length=COMMITMENT_BYTES, salt=None, info=info)
        return derivation.derive(key)

    def keyed(self, key: bytes) -> CryptographyKeyedCipher:
        """Return the cipher under *key*.

        Raises:
            InvalidRequest: *key* is not 32 bytes.
        """
        if not is_key(key):
            del key  # a traceback may show the locals of this frame
            raise not_a_key()
        return CryptographyKeyedCipher(_BY_ALGORITHM[self.algorithm](key))
