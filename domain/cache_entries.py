"""What a cache may be asked to keep."""

from datetime import timedelta

from tollkeeper.domain.checks import checked_duration
from tollkeeper.domain.errors import InvalidRequest

LONGEST_KEY = 512
LARGEST_VALUE = 1 << 20
_SHORTEST_TTL = timedelta(microseconds=1)


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
    checked_duration(ttl, field="ttl", shortest=_SHORTEST_TTL)
