"""Setting money aside, and giving it back when the caller has gone."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from attrs import frozen

from tollkeeper.application.bounded import bounded
from tollkeeper.application.shielded import shielded
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.errors import PortError, Timeout, TollkeeperError
from tollkeeper.domain.ledger import Hold, HoldState
from tollkeeper.domain.money import Money
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.ledger import Ledger

PAUSES = (0.05, 0.25, 1.0)
"""Seconds between tries of a step that is idempotent, and whose loss would cost money."""
LONGEST_STEP = 15.0
"""Seconds that one try of a ledger's step may take."""


def hung(step: str) -> Timeout:
    """Make the error for a ledger that does not answer."""
    return Timeout(
        f"the ledger did not answer while {step}", port="ledger", adapter="ledger", ambiguous=True
    )


@frozen
class HoldPlacing:
    """Places and gives back holds."""

    ledger: Ledger
    clock: Clock
    hold_ttl: timedelta

    async def place(
        self, *, hold_id: str, account: str, amount: Money, purpose: str, key: str
    ) -> Hold:
        """Place a hold; where it may or may not have been placed, ask again: it is idempotent."""
        now = self.clock.now()
        asked: dict[str, Any] = {
            "hold_id": hold_id,
            "account": account,
            "amount": amount,
            "purpose": purpose,
            "idempotency_key": key,
            "expires_at": now + self.hold_ttl,
            "at": now,
        }
        for pause in (*PAUSES[:2], None):
            try:
                return await bounded(self.ledger.place_hold(**asked), within=LONGEST_STEP)
            except TimeoutError as error:
                raise hung("placing a hold") from error
            except PortError as error:
                if pause is None or not (error.retryable and error.ambiguous):
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    async def place_or_undo(self, **asked: Any) -> Hold:
        """Place a hold; if the caller is cancelled meanwhile, the hold is given back."""
        try:
            return await self.place(**asked)
        except asyncio.CancelledError:
            await shielded(lambda: self._undo(asked))
            raise

    async def _undo(self, asked: dict[str, Any]) -> None:
        try:
            # Nobody knows whether the first try came through, or is on its way yet. To ask again
            # settles it: one of the two places the hold, and the other finds it.
            hold = await self.place(**asked)
        except TollkeeperError:
            return  # nothing was placed, or the clock frees it, and the caller is gone
        if hold.id == asked["hold_id"] and hold.state is HoldState.OPEN:
            await self.give_back(hold.id)

    async def give_back(self, hold_id: str, attempts: Sequence[Attempt] = ()) -> None:
        """Release a hold, again if need be; one that cannot be released is freed by the clock.

        What was attempted in vain is logged with it.
        """
        for pause in (*PAUSES[:2], None):
            try:
                release = self.ledger.release(
                    hold_id=hold_id, at=self.clock.now(), attempts=attempts
                )
                await bounded(release, within=LONGEST_STEP)
                return
            except TimeoutError:
                return
            except PortError as error:
                if pause is None or not error.retryable:
                    return
            await asyncio.sleep(pause)
