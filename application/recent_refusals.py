"""Refusals that certainly still hold, so that who keeps asking costs no store anything."""

from collections import OrderedDict
from datetime import timedelta

from attrs import define, field, frozen

from tollkeeper.application.rate_checks import LimitAsked, RateRefusal

_MICROSECOND = timedelta(microseconds=1)
_LONGEST = 1_000_000
"""Microseconds after which the limiter is asked again, come what may: it may have been emptied."""


@frozen
class _Refused:
    refusal: RateRefusal
    until: int
    asked_again: int


@define(eq=False)
class RecentRefusals:
    """Remembers the last *most* questions that were refused, each until it may pass.

    Nothing but time makes a refused question pass: no bucket is ever given anything back.
    Moments are microseconds of a monotonic clock.
    """

    most: int = 10_000
    _refused: OrderedDict[tuple[LimitAsked, ...], _Refused] = field(factory=OrderedDict)

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._refused)

    def get(self, asked: tuple[LimitAsked, ...], *, now: int) -> RateRefusal | None:
        """Return why *asked* is still refused, or None if the limiter should be asked."""
        if not self._refused:
            return None
        found = self._refused.get(asked)
        if found is None:
            return None
        if now >= found.asked_again:
            self._refused.pop(asked, None)
            return None
        return RateRefusal((found.until - now) * _MICROSECOND, found.refusal.over)

    def keep(self, asked: tuple[LimitAsked, ...], refusal: RateRefusal, *, now: int) -> None:
        """Remember that *asked* was refused."""
        wait = refusal.retry_after // _MICROSECOND
        self._refused[asked] = _Refused(refusal, now + wait, now + min(wait, _LONGEST))
        while len(self._refused) > self.most:
            self._refused.popitem(last=False)
