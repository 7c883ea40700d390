"""Key-encryption keys of a keyring, in a file or in a variable."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from anyio import to_thread
from cryptography.exceptions import InvalidTag

from tollkeeper.adapters.cryptography.keyring import KekState, KeyEncryptionKey, Keyring
from tollkeeper.adapters.cryptography.keyring_file import KeyringFile
from tollkeeper.domain.encryption import (
    KEY_BYTES,
    NONCE_BYTES,
    WrappedKey,
    checked_context,
    length_prefixed,
)
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    InvalidRequest,
    Rejected,
)
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.key_encryption import GeneratedKey

_REMEDY = (
    "key_encryption: write keyring:///absolute/file.keyring, keyring://./relative.keyring, or "
    "keyring+env://VARIABLE"
)
_LABEL = b"tollkeeper/wrapped-key"
_VERSION = b"\x01"


class CryptographyKeyEncryption:
    """Wraps data keys with AES-256-GCM under the primary key of a keyring.

    A keyring in a file is looked at anew at each call, in a thread: a rotation needs no restart.
    A wrapped key reads ``version (1) | nonce (12) | encrypted key (32) | tag (16)``, bound to
    the id of its key-encryption key and to its context.
    """

    def __init__(self, source: KeyringFile | Keyring) -> None:
        self._source = source

    @classmethod
    def from_url(cls, url: str, *, environ: Mapping[str, str]) -> Self:
        """Make one from ``keyring:///file``, ``keyring://./file`` or ``keyring+env://VARIABLE``.

        A variable is read here and now; a file when it is needed.

        Raises:
            ConfigurationError: *url* reads otherwise, or the variable holds no sound keyring.
        """
        scheme, separator, place = url.partition("://") if isinstance(url, str) else ("",) * 3
        if not separator or not place.isprintable():
            raise ConfigurationError(_REMEDY)
        if scheme == "keyring+env" and place.isidentifier():
            text = Secret(environ.get(place, ""))
            del environ  # a traceback may show the locals of this frame
            if not text:
                raise ConfigurationError(
                    f"key_encryption: the variable {place} is not set; put a keyring there"
                )
            return cls(Keyring.parse(text, name=place))
        if scheme == "keyring" and place.startswith(("/", "./", "../")) and place[-1] != "/":
            return cls(KeyringFile(_absolute(place)))
        raise ConfigurationError(_REMEDY)

    def __repr__(self) -> str:
        where = self._source.path.name if isinstance(self._source, KeyringFile) else "a variable"
        return f"CryptographyKeyEncryption({where!r})"

    async def __aenter__(self) -> Self:
        """Read the keyring, so that a weak key or a missing file is said at start-up."""
        await self._keyring()
        return self

    async def __aexit__(
        self,
        _: type[BaseException] | None,
        __: BaseException | None,
        ___: TracebackType | None,
    ) -> None:
        """Do nothing: no file stays open."""

    async def health(self) -> str:
        """Read the keyring once."""
        keyring = await self._keyring()
        return f"a keyring of {len(keyring.keys)} keys, {keyring.primary.id} is primary"

    async def current(self) -> str:
        """Return the id of the primary key."""
        return (await self._keyring()).primary.id

    async def generate(self, *, context: Mapping[str, str]) -> GeneratedKey:
        """Make a data key of the operating system's random bytes."""
        checked_context(context)
        primary = (await self._keyring()).primary
        key = os.urandom(KEY_BYTES)
        return GeneratedKey(key, _wrapped(key, primary, context))

    async def unwrap(self, wrapped: WrappedKey, *, context: Mapping[str, str]) -> bytes:
        """Return the data key in *wrapped*.

        Raises:
            Rejected: its key-encryption key is not in the keyring, or disabled (``kek_unknown``).
            CorruptResponse: it was damaged, or made with another *context*.
        """
        _check(wrapped, context)
        return _unwrapped(wrapped, _found(await self._keyring(), wrapped.kek_id), context)

    async def rewrap(self, wrapped: WrappedKey, *, context: Mapping[str, str]) -> WrappedKey:
        """Return the same data key under the primary key; *wrapped* itself if it already is.

        Raises:
            Rejected: its key-encryption key is not in the keyring, or disabled (``kek_unknown``).
            CorruptResponse: it was damaged, or made with another *context*.
        """
        _check(wrapped, context)
        keyring = await self._keyring()
        if wrapped.kek_id == keyring.primary.id:
            return wrapped
        found = _found(keyring, wrapped.kek_id)
        return _wrapped(_unwrapped(wrapped, found, context), keyring.primary, context)

    async def _keyring(self) -> Keyring:
        if isinstance(self._source, Keyring):
            return self._source
        return await to_thread.run_sync(self._source.read)


def _absolute(path: str) -> Path:
    try:
        return Path(path).absolute()
    except OSError as error:
        raise ConfigurationError(
            "key_encryption: the working directory does not exist any more; write "
            "keyring:///absolute/file.keyring"
        ) from error


def _check(wrapped: WrappedKey, context: Mapping[str, str]) -> None:
    checked_context(context)
    if not isinstance(wrapped, WrappedKey):
        raise InvalidRequest(
            "a wrapped key is a WrappedKey, as generate() makes it", code="invalid_wrapped_key"
        )


def _found(keyring: Keyring, kek_id: str) -> KeyEncryptionKey:
    key = keyring.find(kek_id)
    if key is not None and key.state is not KekState.DISABLED:
        return key
    if key is None:
        why = "is not in the keyring; put its line back from a copy"
    else:
        why = "is disabled in the keyring; make it readable to read what it wrapped"
    raise Rejected(
        f"the key-encryption key {kek_id} {why}",
        port="key_encryption",
        adapter="cryptography",
        code="kek_unknown",
    )


def _bound_to(kek_id: str, context: Mapping[str, str]) -> bytes:
    texts = (kek_id, *(text for pair in sorted(context.items()) for text in pair))
    return length_prefixed(_LABEL, _VERSION, *(text.encode() for text in texts))


def _wrapped(key: bytes, under: KeyEncryptionKey, context: Mapping[str, str]) -> WrappedKey:
    nonce = os.urandom(NONCE_BYTES)
    text = under.cipher().encrypt(nonce, key, _bound_to(under.id, context))
    return WrappedKey(under.id, _VERSION + nonce + text)


def _unwrapped(wrapped: WrappedKey, under: KeyEncryptionKey, context: Mapping[str, str]) -> bytes:
    version, body = wrapped.ciphertext[:1], wrapped.ciphertext[1:]
    try:
        if version == _VERSION:
            nonce, text = body[:NONCE_BYTES], body[NONCE_BYTES:]
            return under.cipher().decrypt(nonce, text, _bound_to(under.id, context))
        cause: Exception | None = None
    except (InvalidTag, ValueError) as error:  # ValueError: the nonce is cut short
        cause = error
    raise CorruptResponse(
        "a data key cannot be unwrapped: it was damaged, or is of another account or environment; "
        "look at what wrote to its row",
        port="key_encryption",
        adapter="cryptography",
        code="decryption_failed",
    ) from cause
