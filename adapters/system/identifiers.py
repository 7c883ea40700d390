"""Identifiers from the machine's time and randomness."""

import os
import re
import time
from functools import lru_cache

from tollkeeper.domain.errors import InvalidRequest

_KIND = re.compile(r"[a-z]{1,16}")
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [high + low for high in _CROCKFORD for low in _CROCKFORD]
_SHIFTS = range(70, -1, -10)
_TIME_SHIFTS = range(40, -1, -10)
_RANDOM_BITS = 80


@lru_cache(maxsize=64)
def _checked_kind(kind: str) -> str:
    if not _KIND.fullmatch(kind):
        raise InvalidRequest("an identifier's kind is 1-16 lower-case letters")
    return kind


@lru_cache(maxsize=4)
def _written(milliseconds: int) -> str:
    return "".join([_PAIRS[milliseconds >> shift & 0x3FF] for shift in _TIME_SHIFTS])


class SystemIdentifiers:
    """Makes identifiers such as ``hold_06f0k3e8z2…``: a kind and 26 Crockford base-32 characters.

    The first 10 characters are the time in milliseconds, so that identifiers of one kind sort by
    the millisecond they were made in; the other 16 are 80 bits from the operating system, asked
    anew each time, so that neither threads nor forked processes ever share them.
    """

    __slots__ = ()

    def new(self, kind: str) -> str:
        """Return an identifier of *kind* that nobody else has.

        Raises:
            InvalidRequest: *kind* is not 1-16 lower-case letters.
        """
        value = int.from_bytes(os.urandom(_RANDOM_BITS // 8))
        drawn = "".join([_PAIRS[value >> shift & 0x3FF] for shift in _SHIFTS])
        return f"{_checked_kind(kind)}_{_written(time.time_ns() // 1_000_000)}{drawn}"

    def random_bytes(self, size: int) -> bytes:
        """Return *size* bytes fit for secrets."""
        return os.urandom(size)
