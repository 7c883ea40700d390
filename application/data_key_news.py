"""Telling every process that data keys were destroyed, so that none reads with them any more."""

import asyncio
from typing import Self

from attrs import define, field

from tollkeeper.application.data_keys import DataKeys
from tollkeeper.domain.broadcasts import BroadcastItem, BroadcastMessage
from tollkeeper.domain.data_key_news import TOPIC, account_message, read_account
from tollkeeper.domain.errors import PortError, TollkeeperError
from tollkeeper.ports.broadcast import Broadcast

_PAUSE = 1.0


@define(eq=False)
class DataKeyNews:
    """Tells whose data keys were changed, and listens for that during an ``async with`` block.

    While nothing can be heard, an open data key still closes when its time is over. It listens
    only where there are *data_keys* to close.
    """

    data_keys: DataKeys | None
    broadcast: Broadcast
    untold: int = field(default=0, init=False)
    """Changes that could not be told to other processes."""
    _listening: "asyncio.Task[None] | None" = field(default=None, init=False, repr=False)

    async def __aenter__(self) -> Self:
        if self.data_keys is not None:
            self._listening = asyncio.ensure_future(self._listen(self.data_keys))
            await asyncio.sleep(0)  # a subscription that need not wait stands before the first call
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None
        if self.data_keys is not None:
            self.data_keys.forget_all()

    async def tell(self, account: str) -> None:
        """Close the account's data keys here, and tell the others to; never fails.

        Call it once the change of its data keys is made.
        """
        if self.data_keys is not None:
            self.data_keys.forget(account)
        try:
            await self.broadcast.publish(TOPIC, account_message(account))
        except PortError:
            # The change is made, and failing now would say that it is not. Who cannot be told is
            # cut off too, and by that closes all that it has; at the latest its time runs out.
            self.untold += 1

    async def _listen(self, data_keys: DataKeys) -> None:
        while True:
            try:
                async with self.broadcast.subscribe(TOPIC) as news:
                    data_keys.forget_all()  # nothing was heard until now
                    async for item in news:
                        _hear(item, data_keys)
            except TollkeeperError:
                pass  # the broadcast is away; until it is back, time alone closes data keys
            await asyncio.sleep(_PAUSE)


def _hear(item: BroadcastItem, data_keys: DataKeys) -> None:
    account = read_account(item.data) if isinstance(item, BroadcastMessage) else None
    if account is None:
        # Some were missed, or a newer Tollkeeper says what this one does not know.
        data_keys.forget_all()
    else:
        data_keys.forget(account)
