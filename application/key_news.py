"""Telling every process that a key has changed."""

from attrs import frozen

from tollkeeper.application.known_keys import KnownKeys
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.errors import PortError
from tollkeeper.domain.key_news import TOPIC, KeyChanged, change_of, end_of
from tollkeeper.ports.broadcast import Broadcast


@frozen
class KeyNews:
    """Drops what this process knows of a key, and tells the others to."""

    known: KnownKeys
    broadcast: Broadcast

    async def changed(self, *keys: ApiKey) -> None:
        """Tell that a key went from the first of *keys* to the last."""
        await self._tell(change_of(*keys))

    async def gone(self, key: ApiKey) -> None:
        """Tell that *key* was deleted."""
        await self._tell(end_of(key))

    async def _tell(self, change: KeyChanged) -> None:
        self.known.drop(change)
        try:
            await self.broadcast.publish(TOPIC, change.to_bytes())
        except PortError:
            # The change is made, and failing now would say that it is not. Who cannot be told is
            # cut off too, and by that drops all that it knows; at the latest its time runs out.
            self.known.untold += 1
