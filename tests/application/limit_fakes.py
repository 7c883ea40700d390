"""What call limits are tested with: a limiter and a counter that can be away, slow and watched."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from attrs import define, field

from tollkeeper.adapters.memory.quota_counter import MemoryQuotaCounter
from tollkeeper.domain.errors import PortError, Unavailable
from tollkeeper.domain.key_limits import Quota, QuotaUse
from tollkeeper.domain.rate_limits import RateDecision, RateRequest
from tollkeeper.ports.quota_counter import QuotaCounter
from tollkeeper.ports.rate_limiter import RateLimiter


def away(port: str) -> PortError:
    """Make what an adapter raises that cannot be reached."""
    return Unavailable("it cannot be reached", port=port, adapter="test")


@define(eq=False)
class WatchedQuotas:
    """Hands on what it is asked, unless *failure* is to be raised; counts the questions."""

    counter: QuotaCounter = field(factory=MemoryQuotaCounter)
    failure: Exception | None = None
    gate: asyncio.Event | None = None
    """What :meth:`give_back` waits for before it is handed on."""
    taken: int = 0
    given_back: int = 0

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        """Count *calls*, if *quota* allows them."""
        self.taken += 1
        if self.failure is not None:
            raise self.failure
        return await self.counter.take(key_id, quota, at=at, calls=calls)

    async def give_back(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> None:
        """Take back *calls*."""
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.given_back += 1
        await self.counter.give_back(key_id, quota, at=at, calls=calls)

    async def used(self, key_id: str, quota: Quota, *, at: datetime) -> QuotaUse:
        """Return what is counted."""
        return await self.counter.used(key_id, quota, at=at)


@define(eq=False)
class WatchedLimiter:
    """Hands on what it is asked, unless *failure* is to be raised; counts the questions."""

    limiter: RateLimiter
    failure: Exception | None = None
    gate: asyncio.Event | None = None
    """What each question waits for before it is handed on."""
    questions: int = 0

    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        """Count all of *asked*, or nothing."""
        self.questions += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return await self.limiter.take(asked)
