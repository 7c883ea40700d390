"""A ledger that is slow, or fails, at the calls that a test names."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import define, field

from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.domain.errors import Unavailable
from tollkeeper.domain.ledger import Balance, Entry, Hold


async def _after(
    pause: Awaitable[None], work: Callable[..., Awaitable[Any]], kwargs: dict[str, Any]
) -> None:
    await pause
    await work(**kwargs)


@define
class UnsteadyLedger:
    """The memory ledger behind a bad line.

    *failures* lists, by method, how its next calls fail: ``"before"`` (nothing happened),
    ``"after"`` (it happened, and the answer was lost), or ``""`` (not at all). Each call of a
    method in *pauses* takes that many seconds before it does its work. A call whose caller is
    cancelled meanwhile is not done, or, with *lands_after*, so many seconds later: a server goes
    on with what it was sent.
    """

    store: MemoryStore = field(factory=MemoryStore)
    failures: dict[str, list[str]] = field(factory=dict)
    pauses: dict[str, float] = field(factory=dict)
    calls: dict[str, int] = field(factory=lambda: defaultdict(int))
    lands_after: float | None = None
    late: list["asyncio.Task[Any]"] = field(factory=list)
    """The calls that go on without their callers."""
    begun: asyncio.Event = field(factory=asyncio.Event)
    """Set when a slow call has begun."""

    async def _through(
        self, method: str, work: Callable[..., Awaitable[Any]], **kwargs: Any
    ) -> Any:
        self.calls[method] += 1
        if method in self.pauses:
            self.begun.set()
            try:
                await asyncio.sleep(self.pauses[method])
            except asyncio.CancelledError:
                if self.lands_after is not None:
                    late = asyncio.sleep(self.lands_after)
                    self.late.append(asyncio.ensure_future(_after(late, work, kwargs)))
                raise
        coming = self.failures.get(method, [])
        failure = coming.pop(0) if coming else ""
        error = Unavailable("gone", port="ledger", adapter="test", ambiguous=failure == "after")
        if failure == "before":
            raise error
        result = await work(**kwargs)
        if failure == "after":
            raise error
        return result

    async def grant(self, **kwargs: Any) -> Entry:
        return await self._through("grant", self.store.ledger.grant, **kwargs)  # type: ignore[no-any-return]

    async def place_hold(self, **kwargs: Any) -> Hold:
        return await self._through("place_hold", self.store.ledger.place_hold, **kwargs)  # type: ignore[no-any-return]

    async def capture(self, **kwargs: Any) -> Entry:
        return await self._through("capture", self.store.ledger.capture, **kwargs)  # type: ignore[no-any-return]

    async def release(self, **kwargs: Any) -> Hold:
        return await self._through("release", self.store.ledger.release, **kwargs)  # type: ignore[no-any-return]

    async def expire(self, **kwargs: Any) -> tuple[Hold, ...]:
        return await self._through("expire", self.store.ledger.expire, **kwargs)  # type: ignore[no-any-return]

    async def balance(self, **kwargs: Any) -> Balance:
        return await self.store.ledger.balance(**kwargs)

    async def entries(self, **kwargs: Any) -> Sequence[Entry]:
        return await self.store.ledger.entries(**kwargs)
