"""What a cache may be asked to keep."""

import json
import re
from collections.abc import Sequence
from datetime import timedelta

from tollkeeper.domain.checks import checked_duration
from tollkeeper.domain.errors import Conflict, InvalidRequest

LONGEST_KEY = 512
LARGEST_VALUE = 1 << 20
MOST_KEYS = 1000
_SHORTEST_TTL = timedelta(microseconds=1)
_LARGEST_STEP = 10**15 - 1
_LARGEST_NUMBER = (1 << 63) - 1
_NUMBER = re.compile(rb"0|-?[1-9][0-9]{0,18}")


def checked_cache_key(key: str) -> str:
    """Return *key*: 1-512 printable characters without spaces.

    Raises:
        InvalidRequest: it is anything else (code ``invalid_cache_key``).
    """
    if (
        not isinstance(key, str)
        or not 1 <= len(key) <= LONGEST_KEY
        or not key.isprintable()
        or " " in key
    ):
        raise InvalidRequest(
            f"a cache key is 1-{LONGEST_KEY} printable characters without spaces",
            code="invalid_cache_key",
        )
    return key


def checked_cache_entry(key: str, value: bytes, *, ttl: timedelta) -> None:
    """Check what :meth:`~tollkeeper.ports.cache.Cache.set` is called with.

    Raises:
        InvalidRequest: the key is malformed, *value* is no bytes or larger than 1 MiB (code
            ``invalid_cache_value``), or *ttl* is not positive.
    """
    checked_cache_key(key)
    if not isinstance(value, bytes) or len(value) > LARGEST_VALUE:
        raise InvalidRequest(
            "a cached value is bytes, at most 1 MiB of them", code="invalid_cache_value"
        )
    checked_cache_ttl(ttl)


def checked_cache_keys(keys: Sequence[str]) -> list[str]:
    """Return *keys*: at most 1,000, each one well-formed.

    Raises:
        InvalidRequest: they are anything else (code ``invalid_cache_key``).
    """
    if isinstance(keys, str) or not isinstance(keys, Sequence) or len(keys) > MOST_KEYS:
        raise InvalidRequest(
            f"keys are a list of at most {MOST_KEYS} cache keys", code="invalid_cache_key"
        )
    return [checked_cache_key(key) for key in keys]


def checked_cache_ttl(ttl: timedelta) -> timedelta:
    """Return *ttl*, which must be positive.

    Raises:
        InvalidRequest: it is anything else.
    """
    return checked_duration(ttl, field="ttl", shortest=_SHORTEST_TTL)


def checked_step(by: int) -> int:
    """Return *by*: a whole number of at most 15 digits.

    Raises:
        InvalidRequest: it is anything else (code ``invalid_step``).
    """
    if type(by) is not int or abs(by) > _LARGEST_STEP:
        raise InvalidRequest("by is a whole number of at most 15 digits", code="invalid_step")
    return by


def incremented(value: bytes, by: int) -> int:
    """Return the number that *value* writes, and *by* more.

    Raises:
        Conflict: it is no whole number, or the sum is too large (code ``not_a_number``).
    """
    if not _NUMBER.fullmatch(value) or abs(int(value)) > _LARGEST_NUMBER:
        raise not_a_number()
    total = int(value) + by
    if abs(total) > _LARGEST_NUMBER:
        raise not_a_number()
    return total


def not_a_number() -> Conflict:
    """Make the answer to counting on from something else."""
    return Conflict(
        "the cached value is no whole number, or would be too large", code="not_a_number"
    )


def to_json(value: object) -> bytes:
    """Write *value* as compact JSON: the way to cache what is not bytes; never pickle.

    Raises:
        InvalidRequest: JSON has no words for it (code ``invalid_cache_value``).
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidRequest(
            "the value cannot be written as JSON", code="invalid_cache_value"
        ) from None


def from_json(value: bytes) -> object:
    """Read what :func:`to_json` wrote.

    Raises:
        InvalidRequest: it is no JSON (code ``invalid_cache_value``).
    """
    try:
        read: object = json.loads(value)
    except (ValueError, RecursionError):
        raise InvalidRequest("the cached value is no JSON", code="invalid_cache_value") from None
    return read
