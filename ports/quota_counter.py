"""How much each key has used of its quota."""

from datetime import datetime
from typing import Protocol, runtime_checkable

from tollkeeper.domain.key_limits import Quota, QuotaUse


@runtime_checkable
class QuotaCounter(Protocol):
    """Counts the calls of keys by the day or month. Each method is atomic and may raise PortError.

    What is counted belongs to the key's id: secrets that are rotated share it. A key that is not
    here counts all the same.

    :meth:`take` and :meth:`give_back` raise :class:`InvalidRequest` (code ``invalid_calls``), and
    count nothing, where *calls* is no whole number, 1 or more, of 18 digits at most.
    """

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        """Count *calls* in the period in which *at* lies, if *quota* still allows all of them.

        Returns whether it did; if not, nothing is counted.
        """

    async def give_back(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> None:
        """Take back what :meth:`take` counted at *at*; never below zero."""

    async def used(self, key_id: str, quota: Quota, *, at: datetime) -> QuotaUse:
        """Return what is counted in the period in which *at* lies."""
