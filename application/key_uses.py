"""Noting when keys were last used: once a minute for each, many in one write."""

from collections import OrderedDict
from datetime import datetime

from attrs import define, field

from tollkeeper.domain.errors import PortError
from tollkeeper.ports.key_store import KeyStore

EVERY = 60.0
"""Seconds within which a second use of the same key is not noted."""
_MOST_REMEMBERED = 10_000


@define(eq=False)
class KeyUses:
    """Gathers uses until :meth:`write`; what was not written when the process dies is lost."""

    key_store: KeyStore
    _noted: "OrderedDict[str, float]" = field(factory=OrderedDict, init=False, repr=False)
    _waiting: dict[str, datetime] = field(factory=dict, init=False, repr=False)

    def is_due(self, key_id: str, now: float) -> bool:
        """Whether a use *now*, in monotonic seconds, should be noted."""
        last = self._noted.get(key_id)
        return last is None or now - last >= EVERY

    def note(self, key_id: str, *, at: datetime, now: float) -> None:
        """Note a use *at* that time, which is *now* in monotonic seconds, if it is due."""
        if not self.is_due(key_id, now):
            return
        self._noted[key_id] = now
        self._noted.move_to_end(key_id)
        if len(self._noted) > _MOST_REMEMBERED:
            self._noted.popitem(last=False)
        self._waiting[key_id] = at

    async def write(self) -> None:
        """Write what waits; if the store is away it waits on, for it is a courtesy."""
        if not self._waiting:
            return
        uses, self._waiting = self._waiting, {}
        try:
            await self.key_store.mark_used(uses)
        except PortError:
            self._waiting = {**uses, **self._waiting}
            while len(self._waiting) > _MOST_REMEMBERED:
                del self._waiting[next(iter(self._waiting))]
