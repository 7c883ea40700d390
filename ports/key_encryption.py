"""Key-encryption keys, which wrap data keys and never leave their keeper."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from attrs import field, frozen

from tollkeeper.domain.encryption import WrappedKey


@frozen
class GeneratedKey:
    """A new data key: *plaintext* (32 random bytes) to use and forget, *wrapped* to store."""

    plaintext: bytes = field(repr=False)
    wrapped: WrappedKey


@runtime_checkable
class KeyEncryption(Protocol):
    """Makes data keys and wraps them under a key-encryption key (KEK).

    One KEK is current and wraps; older ones unwrap what they wrapped, until they are disabled.
    Each wrapped key names its KEK (``kek_id``), so that none is ever tried out. A ``kek_id`` is
    1-512 printable characters and tells nothing of the key.

    *context* names whose key it is and what for, such as ``{"tenant": …, "purpose": …, "env":
    …}``: 1-8 names with values, each 1-255 printable characters, in any order. It is
    authenticated and not secret (AWS shows it in CloudTrail): a wrapped key opens with the same
    context only.

    Every method may raise :class:`InvalidRequest` for a malformed context (code
    ``invalid_context``) or a *wrapped* that is no :class:`WrappedKey` (``invalid_wrapped_key``);
    :class:`Unavailable`, :class:`Timeout`, :class:`Throttled` or :class:`CredentialsRefused`
    where the keeper cannot be asked; and :class:`Rejected` (code ``kek_unknown``) where the KEK
    is not there, or disabled: the text names its id and what to do. An outage is never
    ``kek_unknown``. No error holds or shows a key. Nothing is ambiguous: a key that was made but
    not handed out is of no use to anyone.
    """

    async def current(self) -> str:
        """Return the id of the KEK that wraps now; a rotation is seen without a restart."""

    async def generate(self, *, context: Mapping[str, str]) -> GeneratedKey:
        """Make a data key of 32 random bytes, wrapped under the current KEK and *context*."""

    async def unwrap(self, wrapped: WrappedKey, *, context: Mapping[str, str]) -> bytes:
        """Return the 32 bytes of the data key in *wrapped*.

        Raises:
            CorruptResponse: *wrapped* was damaged, is of another KEK than it says, or was made
                with another *context* (one answer for all, code ``decryption_failed``).
        """

    async def rewrap(self, wrapped: WrappedKey, *, context: Mapping[str, str]) -> WrappedKey:
        """Return the same data key wrapped under the current KEK.

        Returns *wrapped* itself if it already is; the plain key goes nowhere.

        Raises:
            CorruptResponse: as :meth:`unwrap` does.
        """
