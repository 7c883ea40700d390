"""JSON Web Tokens in their compact form: what they say of themselves, and whether it is signed.

Nothing here raises: errors of the library hold pieces of the token.
"""

import base64
import re
from typing import Any

import jwt
from attrs import frozen

from tollkeeper.adapters.pyjwt.keys import JWS
from tollkeeper.adapters.pyjwt.strict_json import decoded
from tollkeeper.domain.secret import Secret

LONGEST_TOKEN = 16_384
_LONGEST_KEY_ID = 255
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TYPES = ("jwt", "at+jwt", "application/jwt", "application/at+jwt")
# Keys that a token brings along prove nothing, and extensions that we do not know may matter.
_REFUSED = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"})


@frozen
class Head:
    """Which key a token says that it is signed by, and how; nothing is proved yet."""

    algorithm: str
    key_id: str | None


def read_head(token: Secret, algorithms: tuple[str, ...]) -> Head | None:
    """Read how *token* says that it is signed; None if it is no token, or in no way of ours."""
    text = token.reveal()
    compact = _COMPACT.fullmatch(text) if len(text) <= LONGEST_TOKEN else None
    if compact is None:
        return None
    first = compact[1]
    try:
        head = decoded(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except ValueError:
        return None
    if not isinstance(head, dict) or _REFUSED & head.keys():
        return None
    algorithm, key_id, kind = head.get("alg"), head.get("kid"), head.get("typ", "JWT")
    if algorithm not in algorithms or not isinstance(kind, str) or kind.lower() not in _TYPES:
        return None
    if "kid" in head and (not isinstance(key_id, str) or len(key_id) > _LONGEST_KEY_ID):
        return None
    return Head(algorithm, key_id)


def read_claims(token: Secret, key: jwt.PyJWK) -> Any:
    """Return what *token* says if it is signed by *key*, in the one way that *key* is for."""
    try:
        verified = JWS.decode_complete(
            token.reveal(),
            key,
            algorithms=[key.algorithm_name],
            options={"verify_signature": True, "enforce_minimum_key_length": True},
        )
        return decoded(verified["payload"])
    except Exception:  # whatever breaks, the signature is not shown to be right
        return None
