"""Identifiers that a test can foresee."""

import hashlib
import itertools
import os
import re

from tollkeeper.domain.errors import InvalidRequest

_KIND = re.compile(r"[a-z]{1,16}")
_SEED = re.compile(r"[A-Za-z0-9]{1,32}")


class MemoryIdentifiers:
    """Counts: ``hold_{seed}_00000001``, ``entry_{seed}_00000002``, and so on.

    Two instances of one *seed* (1-32 letters and digits) give the same identifiers and bytes in
    the same order; without one, each instance draws its own and repeats no other's. For tests:
    the bytes are no better than the seed.
    """

    def __init__(self, seed: str | None = None) -> None:
        if seed is not None and not _SEED.fullmatch(seed):
            raise InvalidRequest("a seed is 1-32 letters and digits")
        self._seed = os.urandom(16).hex() if seed is None else seed
        # `next` on a count is one step of the interpreter: threads never get the same number.
        self._count = itertools.count(1)

    def new(self, kind: str) -> str:
        """Return the next identifier.

        Raises:
            InvalidRequest: *kind* is not 1-16 lower-case letters.
        """
        if not _KIND.fullmatch(kind):
            raise InvalidRequest("an identifier's kind is 1-16 lower-case letters")
        return f"{kind}_{self._seed}_{next(self._count):08}"

    def random_bytes(self, size: int) -> bytes:
        """Return *size* bytes that follow from the seed and the count."""
        return hashlib.shake_256(f"{self._seed}/{next(self._count)}".encode()).digest(size)
