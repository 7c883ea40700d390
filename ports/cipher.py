"""Authenticated encryption of a value under a data key."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class KeyedCipher(Protocol):
    """A cipher with its key, kept for as long as the key is: making one costs more than its use.

    Neither method does I/O or blocks; threads and forked processes may share it.
    """

    def encrypt(self, plaintext: bytes, *, associated_data: bytes) -> bytes:
        """Return a fresh random nonce (12 bytes), the encrypted text, and its tag (16 bytes).

        *plaintext* has at most 1 MiB, and may be empty. The same text gives other bytes each
        time. *associated_data* is authenticated, not kept.

        Raises:
            InvalidRequest: *plaintext* is no bytes or too long (code ``invalid_plaintext``), or
                *associated_data* is no bytes or too long (``invalid_associated_data``).
        """

    def decrypt(self, body: bytes, *, associated_data: bytes) -> bytes:
        """Return the text that :meth:`encrypt` was given; never anything else.

        Raises:
            CorruptResponse: *body* was damaged or cut, or is of another key or other
                *associated_data* (one answer for all, code ``decryption_failed``).
        """


@runtime_checkable
class Cipher(Protocol):
    """One algorithm of authenticated encryption with associated data.

    Keys are 32 bytes. No method does I/O or blocks; no error holds or shows a key or a text.
    """

    @property
    def algorithm(self) -> int:
        """The number that stands in a sealed value: 1 is AES-256-GCM, 2 is AES-256-GCM-SIV."""

    def commitment(self, key: bytes) -> bytes:
        """Return 16 bytes that tell *key* from every other, and nothing of the key itself.

        AES-GCM alone does not commit to its key: whoever chooses two keys can make one body that
        opens under both. Stored beside the wrapped key and compared, it leaves one only.

        Raises:
            InvalidRequest: *key* is not 32 bytes (code ``invalid_encryption_key``).
        """

    def keyed(self, key: bytes) -> KeyedCipher:
        """Return the cipher under *key*.

        Raises:
            InvalidRequest: *key* is not 32 bytes (code ``invalid_encryption_key``).
        """
