"""Identifiers from the machine's time and randomness."""

import os
import re
import time

from tollkeeper.domain.errors import InvalidRequest

_KIND = re.compile(r"[a-z]{1,16}")
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [high + low for high in _CROCKFORD for low in _CROCKFORD]
_SHIFTS = range(120, -1, -10)
_RANDOM_BITS = 80


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
        if not _KIND.fullmatch(kind):
            raise InvalidRequest("an identifier's kind is 1-16 lower-case letters")
        milliseconds = time.time_ns() // 1_000_000
        value = milliseconds << _RANDOM_BITS | int.from_bytes(os.urandom(_RANDOM_BITS // 8))
        return f"{kind}_{''.join([_PAIRS[value >> shift & 0x3FF] for shift in _SHIFTS])}"

    def random_bytes(self, size: int) -> bytes:
        """Return *size* bytes fit for secrets."""
        return os.urandom(size)
