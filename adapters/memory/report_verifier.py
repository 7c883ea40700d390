"""Signatures of reports of leaked keys, made with secrets that both sides have."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping

from attrs import field, frozen

from tollkeeper.domain.leak_reports import not_authentic
from tollkeeper.domain.secret import Secret

_LONGEST_SIGNATURE = 64


@frozen
class MemoryReportVerifier:
    """Knows the reporters of *keys*, who sign with HMAC-SHA-256: for development and tests."""

    keys: Mapping[str, Secret] = field(factory=dict)

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        """Check the signature of *body*."""
        key = self.keys.get(key_id) if isinstance(key_id, str) else None
        right = _mac(key, body) if key is not None and isinstance(body, bytes) else None
        del body  # a traceback may show the locals of this frame
        made = _decoded(signature)
        if right is None or made is None or not hmac.compare_digest(right, made):
            raise not_authentic()

    def sign(self, body: bytes, *, key_id: str) -> str:
        """Sign *body* as the reporter does whose key *key_id* names."""
        return b64encode(_mac(self.keys[key_id], body)).decode()


def _mac(key: Secret, body: bytes) -> bytes:
    return hmac.digest(key.reveal().encode(), body, "sha256")


def _decoded(signature: str) -> bytes | None:
    if not isinstance(signature, str) or len(signature) > _LONGEST_SIGNATURE:
        return None
    try:
        return b64decode(signature, validate=True)
    except ValueError:
        return None
