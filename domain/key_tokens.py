"""The text of an API key: ``{prefix}_{kid}_{secret}{checksum}``.

* *prefix*: brand and environment, such as ``tk_live``;
* *kid*: 16 Crockford base-32 characters (80 random bits), public, names the secret in the store;
* *secret*: 43 base-62 characters (256 random bits);
* *checksum*: CRC-32 of all that precedes it, 6 base-62 characters. It is no secret: it keeps
  mistyped keys away from the store and lets scanners tell a leaked key from noise.

Only letters, digits and ``_``, so that a double click selects it whole. Parsing goes by fixed
offsets, never by splitting. Scanners search with :func:`token_pattern`, or :func:`find_tokens`.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator
from typing import NoReturn
from zlib import crc32

from attrs import field, frozen

from tollkeeper.domain.errors import InvalidRequest, Unauthenticated
from tollkeeper.domain.key_derivation import derive_key

KID_BYTES = 10
SECRET_BYTES = 32
_KID_LENGTH = 16
_SECRET_LENGTH = 43
_CHECKSUM_LENGTH = 6
_AFTER_PREFIX_LENGTH = 1 + _KID_LENGTH + 1 + _SECRET_LENGTH + _CHECKSUM_LENGTH
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX_PATTERN = r"[a-z][a-z0-9]{0,15}_[a-z0-9]{1,16}"
_PREFIX = re.compile(_PREFIX_PATTERN)
_KID_AND_REST = rf"[{_CROCKFORD}]{{16}}_[0-9A-Za-z]{{49}}"
_SEARCHED = re.compile(f"_{_KID_AND_REST}")
_IS_AFTER_PREFIX = _SEARCHED.fullmatch
_LONGEST_PREFIX = 33
# What may stand before a token: a line end as JSON and shells write it, an escape of a URL, a
# colour of a terminal, whatever no name has in it, or the start.
_BEFORE = r"(?:\\[nrt]|%[0-9A-Fa-f]{2}|\x1b\[[0-9;]{0,20}m|[^0-9A-Za-z_]|^)"
# Two digits at a time: a third of the divisions, and parsing is on the path of every call.
_PAIRS = tuple(high + low for high in _BASE62 for low in _BASE62)
TOKEN_PATTERN = rf"{_BEFORE}({_PREFIX_PATTERN}_{_KID_AND_REST})\b"
"""Finds the tokens of every prefix in text, as group 1; see :func:`token_pattern`."""

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
    value = crc32(text.encode())
    high = value // 3844
    return _PAIRS[high // 3844] + _PAIRS[high % 3844] + _PAIRS[value % 3844]


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


def kid_of(token: str, prefix: str) -> str | None:
    """Return the kid that *token* of *prefix* names; None if it is no token of ours.

    No I/O, and no allocation beyond the result.
    """
    start = len(prefix)
    if (
        isinstance(token, str)
        and len(token) == start + _AFTER_PREFIX_LENGTH
        and token.isascii()
        and token.startswith(prefix)
        # The checksum before the shape: it refuses what is mistyped, and at less cost.
        and _checksum(token[:-_CHECKSUM_LENGTH]) == token[-_CHECKSUM_LENGTH:]
        and _IS_AFTER_PREFIX(token, start) is not None
    ):
        start += 1
        return token[start : start + _KID_LENGTH]
    return None


def parse_token(token: str, *, prefix: str) -> ParsedToken:
    """Read a token.

    Raises:
        Unauthenticated: it is no token of ours, or of another *prefix*.
    """
    kid = kid_of(token, prefix)
    if kid is None:
        del token  # a traceback may show the locals of this frame
        raise refuse()
    return ParsedToken(kid, token)


def token_pattern(prefix: str | None = None) -> str:
    """Return the regular expression that finds tokens of *prefix* (of any, if None) in text.

    Group 1 is the token. It means the same in Python, PCRE and RE2 (no look-around), and takes
    time in proportion to the text. Confirm a find by its checksum: :func:`find_tokens` does.
    It ends without taking the next character away, which may be all that parts two tokens.

    Raises:
        InvalidRequest: *prefix* is none (code ``invalid_request``).
    """
    if prefix is None:
        return TOKEN_PATTERN
    return rf"{_BEFORE}({checked_prefix(prefix)}_{_KID_AND_REST})\b"


@frozen
class FoundToken:
    """A *token* that stands in some text, and its *prefix*, which says whose it is."""

    prefix: str
    token: str = field(repr=False)


def find_tokens(text: str, *, prefix: str | None = None) -> Iterator[FoundToken]:
    """Go through the tokens of *prefix* (of any, if None) in *text* whose checksum is right.

    They are found even where letters or digits stand right beside them: unlike a pattern, a
    checksum cannot be met by accident (once in 10^10).

    Raises:
        InvalidRequest: *text* is no text, or *prefix* none.
    """
    if not isinstance(text, str):
        raise InvalidRequest("what is searched for keys must be text")
    return _found(text, None if prefix is None else checked_prefix(prefix))


def _found(text: str, prefix: str | None) -> Iterator[FoundToken]:
    for match in _SEARCHED.finditer(text):
        before, rest = text[max(0, match.start() - _LONGEST_PREFIX) : match.start()], match[0]
        for each in _prefixes(before) if prefix is None else [prefix]:
            body = each + rest[:-_CHECKSUM_LENGTH]
            if before.endswith(each) and _checksum(body) == rest[-_CHECKSUM_LENGTH:]:
                yield FoundToken(each, each + rest)


def _prefixes(text: str) -> Iterator[str]:
    """Go through the prefixes that *text* may end with: where the brand begins is open."""
    for start in range(len(text)):
        if _PREFIX.fullmatch(text, start):
            yield text[start:]


def display_prefix(prefix: str, kid: str) -> str:
    """What may be shown of a key for ever: its prefix and four characters of its kid."""
    return f"{prefix}_{kid[:4]}…"


@frozen(repr=False)
class Pepper:
    """A server-side secret without which a stored verifier is useless; *id* does not tell it.

    Raises:
        InvalidRequest: *value* is no bytes, or fewer than 32.
    """

    # repr=False here too: rich shows the fields of attrs classes, whatever their own repr says.
    value: bytes = field(repr=False)
    id: str = field(init=False, eq=False)
    sealing_key: bytes = field(init=False, eq=False, repr=False)
    """What the records of keys are sealed with."""
    _begun: "hmac.HMAC" = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.value, bytes) or len(self.value) < 32:
            raise InvalidRequest("a pepper is 32 bytes or more", code="weak_pepper")
        named = hashlib.sha256(b"pepper-id/v1\0" + self.value).hexdigest()[:12]
        object.__setattr__(self, "id", named)
        # Each verifier begins the same: a copy of what is begun costs two thirds of a new one.
        object.__setattr__(self, "sealing_key", derive_key(self.value, "apikey-seal/v1"))
        object.__setattr__(self, "_begun", hmac.new(self.value, b"apikey/v1\0", "sha256"))

    def verifier(self, token: str) -> bytes:
        """What the store keeps of *token*: 32 bytes of HMAC-SHA-256."""
        mac = self._begun.copy()
        mac.update(token.encode())
        return mac.digest()

    def __repr__(self) -> str:
        return f"Pepper({self.id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Pepper cannot be pickled or copied into another process")


def matches(token: str, verifier: bytes, pepper: Pepper) -> bool:
    """Whether *verifier* was made of *token* under *pepper*; takes the same time either way."""
    return hmac.compare_digest(pepper.verifier(token), verifier)
