"""A loaded value as it lies in a cache: when it ages, and how long it took to load."""

import math
import struct
from datetime import datetime, timedelta
from typing import Self

from attrs import frozen

from tollkeeper.domain.instants import from_micros, to_micros

_FORM = struct.Struct(">BBqq")
_VERSION = 1
_MICROSECOND = timedelta(microseconds=1)
_EARLIEST = 10


@frozen
class LoadedValue:
    """What a loader returned; None where it found nothing."""

    value: bytes | None
    fresh_until: datetime
    took: timedelta
    """How long it took to load."""
    lives: timedelta
    """How long it was to be fresh."""

    def is_due(self, now: datetime, *, chance: float) -> bool:
        """Whether to load it anew: it is old, or will be before long (XFetch).

        The longer it takes to load, the earlier; *chance*, evenly between 0 and 1, spreads those
        who ask. It is never early by more than a tenth of its life, so that many who ask often do
        not shorten it.
        """
        early = self.took * -math.log(max(chance, 1e-12))
        return now + min(early, self.lives / _EARLIEST) >= self.fresh_until

    def written(self) -> bytes:
        """Write it as bytes."""
        head = _FORM.pack(
            _VERSION,
            self.value is not None,
            to_micros(self.fresh_until),
            self.took // _MICROSECOND,
        )
        return head + struct.pack(">q", self.lives // _MICROSECOND) + (self.value or b"")

    @classmethod
    def read(cls, kept: bytes) -> Self | None:
        """Read what :meth:`written` wrote; None if it is of another version, or something else."""
        size = _FORM.size + 8
        if len(kept) < size or kept[0] != _VERSION:
            return None
        _, there, until, took = _FORM.unpack_from(kept)
        (lives,) = struct.unpack_from(">q", kept, _FORM.size)
        try:
            return cls(
                kept[size:] if there else None,
                from_micros(until),
                took * _MICROSECOND,
                lives * _MICROSECOND,
            )
        except OverflowError:
            return None
