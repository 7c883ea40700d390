"""Keys that this process has seen lately: what makes authentication free of I/O.

What is known ends in five ways, whichever comes first: its time to live, a broadcast that the key
has changed, a gap in the broadcasts (all of it then), the number of keys that are kept, and the
key's own end, which is judged at every call. Nothing is ever renewed from what is known, nor served
while it is renewed.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from attrs import define, field, frozen

from tollkeeper.domain.api_keys import ApiKey, KeySecret
from tollkeeper.domain.broadcasts import BroadcastGap, BroadcastItem
from tollkeeper.domain.key_news import KeyChanged, read_change
from tollkeeper.domain.key_tokens import Pepper
from tollkeeper.domain.principals import Principal

T = TypeVar("T")
LONGEST_STALL = 2.0
"""Seconds after which a loop that shows no sign of life is taken to stand still."""
_MOST_CHANGES = 10_000


@frozen(eq=False)
class Known:
    """A key as one of its secrets finds it, intact, ready to be checked at every call."""

    key: ApiKey
    secret: KeySecret
    pepper: Pepper
    principal: Principal
    starts: datetime
    ends: datetime | None
    """From when until before when its times let it in."""
    plain: bool
    """Whether its times alone decide: it is neither revoked, disabled nor bound to networks."""
    lasting: bool
    """Whether not even those: it is plain, has begun, and has no end."""


def known_of(key: ApiKey, secret: KeySecret, pepper: Pepper, *, at: datetime) -> Known:
    """Make what is known of *key* by its *secret*, whose verifier is under *pepper*, at a time."""
    ends = [end for end in (key.expires_at, secret.not_after) if end is not None]
    plain = key.revoked_at is None and key.disabled_at is None and not key.networks
    return Known(
        key,
        secret,
        pepper,
        key.principal,
        starts=secret.not_before,
        ends=min(ends, default=None),
        plain=plain,
        lasting=plain and not ends and secret.not_before <= at,
    )


@frozen
class Ticket:
    """Where a read of the store began; what was told since makes its answer stale."""

    epoch: int
    changes: int


@define(eq=False)
class KnownKeys:
    """At most *most* keys for *ttl* seconds each; with 0 seconds, none. One event loop's.

    While no changes are heard, nothing is known. Nor is it after the event loop stood still for
    a while (the process was stopped, the machine asleep): changes may wait to be heard then.
    """

    ttl: float
    absent_ttl: float = 10.0
    """Seconds for which a kid that is not there is not asked for again."""
    most: int = 10_000
    most_absent: int = 10_000
    untold: int = 0
    """Changes that could not be told to other processes."""
    on_drop: Callable[[tuple[str, ...]], None] | None = field(default=None, repr=False)
    """Hears which secrets' reads of the store are stale, also those under way."""
    tick: Callable[[], float] = field(default=time.monotonic, repr=False)
    """The time by which a loop that stands still is noticed, in seconds: the machine's own."""
    _fresh_until: float = field(default=0.0, init=False)
    _epoch: int = field(default=0, init=False)
    _changes: int = field(default=0, init=False)
    _keys: "OrderedDict[str, tuple[float, Known]]" = field(
        factory=OrderedDict, init=False, repr=False
    )
    _absent: "OrderedDict[str, float]" = field(factory=OrderedDict, init=False, repr=False)
    _versions: "OrderedDict[str, int]" = field(factory=OrderedDict, init=False, repr=False)
    """By key id: the version that it is known to have at least."""

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def absent(self) -> int:
        """How many kids are known not to be there."""
        return len(self._absent)

    def heard(self, *, connected: bool) -> None:
        """Note that all changes told so far were heard just now, or that none are heard now."""
        if connected and self.ttl > 0:
            now = self.tick()
            if 0 < self._fresh_until <= now:
                self.flush()  # the loop stood still; what was told meanwhile may wait or be lost
            self._fresh_until = now + LONGEST_STALL
        elif self._fresh_until:
            self._fresh_until = 0.0
            self.flush()

    @property
    def keeps(self) -> bool:
        """Whether anything is known, or may be kept, at the moment."""
        return self.tick() < self._fresh_until

    def find(self, kid: str, *, now: float) -> Known | None:
        """Return what is known of the secret *kid* at *now*, in monotonic seconds."""
        if self.tick() >= self._fresh_until:
            return None
        found = self._keys.get(kid)
        if found is None:
            return None
        until, known = found
        if until <= now:
            del self._keys[kid]
            return None
        self._keys.move_to_end(kid)
        return known

    def is_absent(self, kid: str, *, now: float) -> bool:
        """Whether *kid* was asked for lately, and was not there."""
        return self.keeps and self._absent.get(kid, now) > now

    def ticket(self) -> Ticket:
        """Note where a read of the store begins."""
        return Ticket(self._epoch, self._changes)

    def keep(self, known: Known, ticket: Ticket, *, now: float) -> bool:
        """Keep what a read found, unless it is stale by what was told since the read began."""
        least = self._versions.get(known.key.id, 0)
        if not self.keeps or ticket.epoch != self._epoch or known.key.version < least:
            return False
        self._keys[known.secret.kid] = (now + self.ttl, known)
        _shorten(self._keys, self.most)
        return True

    def keep_absent(self, kid: str, ticket: Ticket, *, now: float) -> None:
        """Remember that *kid* was not there, unless anything was told since the read began."""
        if self.keeps and ticket == self.ticket():
            self._absent[kid] = now + self.absent_ttl
            _shorten(self._absent, self.most_absent)

    def drop(self, change: KeyChanged) -> None:
        """Forget a key of an older version than *change* tells of, and mind that version."""
        self._changes += 1
        self._versions[change.key_id] = max(
            change.version, self._versions.pop(change.key_id, change.version)
        )
        if _shorten(self._versions, _MOST_CHANGES):
            self._epoch += 1  # one more is not minded: no read that is under way may be kept
        for kid in change.kids:
            self._absent.pop(kid, None)
            found = self._keys.get(kid)
            if found is not None and found[1].key.version < change.version:
                del self._keys[kid]
        if self.on_drop is not None:
            self.on_drop(change.kids)

    def flush(self) -> None:
        """Forget everything; no read that is under way is kept."""
        self._epoch += 1
        self._keys.clear()
        self._absent.clear()
        self._versions.clear()

    def hear(self, item: BroadcastItem) -> None:
        """Take in what was broadcast."""
        if isinstance(item, BroadcastGap):
            self.flush()  # anything may have changed
            self.heard(connected=item.connected)
            return
        change = read_change(item.data)
        if change is None:
            self.flush()  # a newer Tollkeeper says what this one does not know
        else:
            self.drop(change)


def _shorten(table: "OrderedDict[str, T]", most: int) -> bool:
    """Drop what was used longest ago, if there is too much; say whether."""
    if len(table) <= most:
        return False
    table.popitem(last=False)
    return True
