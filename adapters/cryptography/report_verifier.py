"""Signatures of reports of leaked keys: ECDSA on P-256 with SHA-256, as GitHub makes them."""

import json
import os
import time
from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from anyio import to_thread
from attrs import frozen
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tollkeeper.domain.errors import ConfigurationError, CorruptResponse, Unavailable
from tollkeeper.domain.leak_reports import not_authentic

LARGEST_FILE = 65_536
"""Bytes; what is larger is no list of public keys, but a mistake."""
_MOST_KEYS = 100
_LONGEST_SIGNATURE = 256
"""Characters of base64: a signature on P-256 has 72 bytes at most, others a few more."""
_SETTLED = 2_000_000_000
"""Nanoseconds: a file that was changed longer ago than this cannot change again unseen."""
_REMEDY = "report keys: write report-keys:///absolute/file.json"
_ALGORITHM = ECDSA(Prehashed(SHA256()))
_Keys = Mapping[str, EllipticCurvePublicKey | None]


@frozen
class _Kept:
    fingerprint: tuple[int, int, int, int]
    keys: _Keys


class CryptographyReportVerifier:
    """Knows the public keys in the JSON file at *path*, of the shape that GitHub publishes.

    ``{"public_keys": [{"key_identifier": "…", "key": "-----BEGIN PUBLIC KEY-----…"}]}``, as from
    https://api.github.com/meta/public_keys/secret_scanning, at most 64 KiB and 100 keys. All that
    are listed count, current or not: take one out to refuse it. The file is read again when it
    was replaced or changed, in a thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: _Kept | None = None

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make one from ``report-keys:///absolute/file.json``.

        Raises:
            ConfigurationError: *url* reads otherwise.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ConfigurationError(_REMEDY) from None
        path = unquote(parts.path)
        if (
            parts.scheme != "report-keys"
            or parts.netloc
            or parts.query
            or parts.fragment
            or not path.startswith("/")
            or path.endswith("/")
            or not path.isprintable()
        ):
            raise ConfigurationError(_REMEDY)
        return cls(Path(path))

    def __repr__(self) -> str:
        return f"CryptographyReportVerifier({str(self._path)!r})"

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        """Check the signature of *body*; see the port.

        Raises:
            CorruptResponse: the file is not as it should be, or this key is none of P-256.
            Unavailable: the file cannot be read.
        """
        # A traceback may show the locals of this frame, and the body holds tokens.
        digest = sha256(body).digest() if isinstance(body, bytes) else None
        del body
        signed = _decoded(signature)
        if digest is None or signed is None or not isinstance(key_id, str):
            raise not_authentic()
        keys = await to_thread.run_sync(self._keys)
        if key_id not in keys:
            raise not_authentic()
        key = keys[key_id]
        if key is None:
            raise _corrupt("a key in the file of the reporters' keys is none of the curve P-256")
        if not _is_signed(key, signed, digest):
            raise not_authentic()

    async def health(self) -> str:
        """Read the file, if it was changed."""
        keys = await to_thread.run_sync(self._keys)
        usable = sum(key is not None for key in keys.values())
        return f"{usable} of {len(keys)} keys usable"

    def _keys(self) -> _Keys:
        try:
            with open(self._path, "rb") as file:
                found = os.fstat(file.fileno())
                fingerprint = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
                kept = self._kept
                if kept is not None and kept.fingerprint == fingerprint:
                    return kept.keys
                content = file.read(LARGEST_FILE + 1)
        except OSError as error:
            raise Unavailable(
                "the file of the reporters' keys cannot be read; check that it is there, and its "
                "permissions",
                port="report_verifier",
                adapter="cryptography",
            ) from error
        keys = _read(content)
        # File systems tell the time in ticks: two changes within one look like one.
        settled = time.time_ns() - found.st_mtime_ns > _SETTLED
        self._kept = _Kept(fingerprint, keys) if settled else None
        return keys


def _decoded(signature: str) -> bytes | None:
    if not isinstance(signature, str) or len(signature) > _LONGEST_SIGNATURE:
        return None
    try:
        return b64decode(signature, validate=True)
    except ValueError:
        return None


def _is_signed(key: EllipticCurvePublicKey, signature: bytes, digest: bytes) -> bool:
    try:
        key.verify(signature, digest, _ALGORITHM)
    except InvalidSignature:
        return False
    return True


def _read(content: bytes) -> _Keys:
    try:
        document = json.loads(content) if len(content) <= LARGEST_FILE else None
    except (ValueError, RecursionError):
        document = None
    listed = document.get("public_keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS or not all(map(_is_key, listed)):
        raise _corrupt(
            "the file of the reporters' keys is no list of public keys; fetch it again from "
            "https://api.github.com/meta/public_keys/secret_scanning"
        )
    return {each["key_identifier"]: _loaded(each["key"]) for each in listed}


def _is_key(each: Any) -> bool:
    return isinstance(each, dict) and all(
        isinstance(each.get(name), str) for name in ("key_identifier", "key")
    )


def _loaded(pem: str) -> EllipticCurvePublicKey | None:
    """Load a key, or None: the others are of use all the same."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key
    return None


def _corrupt(text: str) -> CorruptResponse:
    return CorruptResponse(
        text, port="report_verifier", adapter="cryptography", code="report_keys_corrupt"
    )
