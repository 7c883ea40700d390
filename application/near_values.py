"""Loaded values that the process keeps for a moment, so that it asks the cache less often."""

from collections import OrderedDict

from attrs import define, field

from tollkeeper.domain.loaded_values import LoadedValue

# What an entry takes beside its name and value, roughly: so that empty values are bounded too.
_OVERHEAD = 300


@define(eq=False)
class NearValues:
    """Keeps at most *most_bytes*, each for *seconds*; what was not asked for longest goes first.

    For 0 seconds it keeps nothing. Moments are those of a monotonic clock.
    """

    seconds: float
    most_bytes: int
    _entries: OrderedDict[str, tuple[LoadedValue, float]] = field(factory=OrderedDict)
    _bytes: int = 0

    def get(self, name: str, *, now: float) -> LoadedValue | None:
        """Return the value, or None if there is none or its time is up."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        value, until = entry
        if until <= now:
            self.forget(name)
            return None
        self._entries.move_to_end(name)
        return value

    def keep(self, name: str, value: LoadedValue, *, now: float) -> None:
        """Keep *value* in the place of any other."""
        if not self.seconds:
            return
        self.forget(name)
        self._entries[name] = value, now + self.seconds
        self._bytes += _size(name, value)
        while self._bytes > self.most_bytes:
            self.forget(next(iter(self._entries)))

    def forget(self, name: str) -> None:
        """Drop the value, if there is one."""
        entry = self._entries.pop(name, None)
        if entry is not None:
            self._bytes -= _size(name, entry[0])


def _size(name: str, value: LoadedValue) -> int:
    return len(name) + len(value.value or b"") + _OVERHEAD
