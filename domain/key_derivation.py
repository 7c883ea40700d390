"""One secret, one key for each purpose: HKDF-SHA-256 (RFC 5869)."""

import hmac


def derive_key(secret: bytes, purpose: str, *, length: int = 32) -> bytes:
    """Return the key of *length* bytes (32 at most) that *secret* gives for *purpose*.

    Keys of different purposes tell nothing of each other or of the secret.
    """
    extracted = hmac.digest(b"tollkeeper", secret, "sha256")
    return hmac.digest(extracted, purpose.encode() + b"\x01", "sha256")[:length]
