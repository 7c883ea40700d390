"""The text of an API key: ``{prefix}_{kid}_{secret}{checksum}``.

* *prefix*: brand and environment, such as ``tk_live``;
* *kid*: 16 Crockford base-32 characters (80 random bits), public, names the secret in the store;
* *secret*: 43 base-62 characters (256 random bits);
* *checksum*: CRC-32 of all that precedes it, 6 base-62 characters. It is no secret: it keeps
  mistyped keys away from the store and lets scanners tell a leaked key from noise.

Only letters, digits and ``_``, so that a double click selects it whole. Scanners may use
:data:`TOKEN_PATTERN`. Parsing goes by fixed offsets from the end, never by splitting.
"""

import hashlib
import hmac
import re
import zlib

from attrs import field, frozen

from tollkeeper.domain.errors import InvalidRequest, Unauthenticated

KID_BYTES = 10
SECRET_BYTES = 32
_KID_LENGTH = 16
_SECRET_LENGTH = 43
_CHECKSUM_LENGTH = 6
_TAIL = 1 + _KID_LENGTH + 1 + _SECRET_LENGTH + _CHECKSUM_LENGTH
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX = re.compile(r"[a-z][a-z0-9]{0,15}_[a-z0-9]{1,16}")
_WELL_FORMED = re.compile(rf"[{_CROCKFORD}]{{16}}_[0-9A-Za-z]{{49}}")
TOKEN_PATTERN = (
    rf"\b[a-z][a-z0-9]{{0,15}}_[a-z0-9]{{1,16}}_[{_CROCKFORD}]{{16}}_[0-9A-Za-z]{{49}}\b"
)
"""A regular expression that finds keys in text; confirm a find with :func:`parse_token`."""

_REFUSAL = "the API key is not valid"


def refuse() -> Unauthenticated:
    """Make the one answer to every key that is malformed, unknown or wrong."""
    return Unauthenticated(_REFUSAL)


@frozen
class ParsedToken:
    """A well-formed token's *kid*, and the *token* whole."""

    kid: str
    token: str = field(repr=False)


def _digits(value: int, alphabet: str, length: int) -> str:
    digits = []
    for _ in range(length):
        value, digit = divmod(value, len(alphabet))
        digits.append(alphabet[digit])
    return "".join(reversed(digits))


def _checksum(text: str) -> str:
    return _digits(zlib.crc32(text.encode()), _BASE62, _CHECKSUM_LENGTH)


def checked_prefix(prefix: str) -> str:
    """Return *prefix*, written ``brand_environment``.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        raise InvalidRequest("a key prefix reads brand_environment, such as tk_live")
    return prefix


def encode_kid(kid: bytes) -> str:
    """Write the *kid*'s 10 random bytes as 16 characters."""
    return _digits(int.from_bytes(kid), _CROCKFORD, _KID_LENGTH)


def encode_token(prefix: str, kid: str, secret: bytes) -> str:
    """Write the token of *kid* (as from :func:`encode_kid`) and 32 random *secret* bytes."""
    body = f"{prefix}_{kid}_{_digits(int.from_bytes(secret), _BASE62, _SECRET_LENGTH)}"
    return body + _checksum(body)


def _is_well_formed(token: str, prefix: str) -> bool:
    return (
        isinstance(token, str)
        and len(token) == len(prefix) + _TAIL
        and token.isascii()
        and token.startswith(prefix)
        and token[len(prefix)] == "_"
        and _WELL_FORMED.fullmatch(token, len(prefix) + 1) is not None
        and _checksum(token[:-_CHECKSUM_LENGTH]) == token[-_CHECKSUM_LENGTH:]
    )


def parse_token(token: str, *, prefix: str) -> ParsedToken:
    """Read a token; no I/O, no allocation beyond the result.

    Raises:
        Unauthenticated: it is no token of ours, or of another *prefix*.
    """
    if not _is_well_formed(token, prefix):
        del token  # a traceback may show the locals of this frame
        raise refuse()
    start = len(prefix) + 1
    return ParsedToken(token[start : start + _KID_LENGTH], token)


def display_prefix(prefix: str, kid: str) -> str:
    """What may be shown of a key for ever: its prefix and four characters of its kid."""
    return f"{prefix}_{kid[:4]}…"


@frozen(repr=False)
class Pepper:
    """A server-side secret without which a stored verifier is useless.

    Raises:
        InvalidRequest: *value* is no bytes, or fewer than 32.
    """

    value: bytes

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.value, bytes) or len(self.value) < 32:
            raise InvalidRequest("a pepper is 32 bytes or more", code="weak_pepper")

    @property
    def id(self) -> str:
        """Names the pepper without telling it."""
        return hashlib.sha256(b"pepper-id/v1\0" + self.value).hexdigest()[:12]

    def verifier(self, token: str) -> bytes:
        """What the store keeps of *token*: 32 bytes of HMAC-SHA-256."""
        return hmac.digest(self.value, b"apikey/v1\0" + token.encode(), "sha256")

    def __repr__(self) -> str:
        return f"Pepper({self.id})"


def matches(token: str, verifier: bytes, pepper: Pepper) -> bool:
    """Whether *verifier* was made of *token* under *pepper*; takes the same time either way."""
    return hmac.compare_digest(pepper.verifier(token), verifier)
