"""Telling every process that a key has changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import evolve, frozen

from tollkeeper.application.known_keys import KnownKeys
from tollkeeper.application.shielded import shielded
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.errors import DomainError, PortError
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

    @asynccontextmanager
    async def changing(self, former: ApiKey, changed: ApiKey | None) -> AsyncIterator[None]:
        """Tell of the change that the block makes to *former*; None if it deletes it.

        Also where the block is cancelled, or fails so that nobody knows whether the change was
        made: then all forget what they know, and read anew.
        """
        change = end_of(former) if changed is None else change_of(former, changed)
        try:
            yield
        except BaseException as error:
            undone = isinstance(error, DomainError) or (
                isinstance(error, PortError) and not error.ambiguous
            )
            if not undone:
                unsure = evolve(change, version=former.version + 1)
                await shielded(lambda: self._tell(unsure))
            raise
        await shielded(lambda: self._tell(change))

    async def _tell(self, change: KeyChanged) -> None:
        self.known.drop(change)
        try:
            await self.broadcast.publish(TOPIC, change.to_bytes())
        except PortError:
            # The change is made, and failing now would say that it is not. Who cannot be told is
            # cut off too, and by that drops all that it knows; at the latest its time runs out.
            self.known.untold += 1
