"""How many requests may be under way at one provider."""

import asyncio
from collections.abc import Mapping

from attrs import field, frozen

from tollkeeper.domain.errors import PoolExhausted


@frozen
class Places:
    """Hands out *limits* places for each provider; a provider that is not named has no limit."""

    limits: Mapping[str, int] = field(factory=dict)
    _places: dict[str, asyncio.Semaphore] = field(factory=dict, init=False, repr=False, eq=False)

    async def take(self, provider: str, *, within: float, port: str) -> None:
        """Wait for a place, at most *within* seconds.

        Raises:
            PoolExhausted: none came free (code ``concurrency_exhausted``); nothing was sent.
        """
        limit = self.limits.get(provider)
        if limit is None:
            return
        places = self._places.setdefault(provider, asyncio.Semaphore(limit))
        try:
            async with asyncio.timeout(within):
                await places.acquire()
        except TimeoutError:
            raise PoolExhausted(
                f"{limit} calls to {provider} are under way, and none ended in time",
                port=port,
                adapter=provider,
                code="concurrency_exhausted",
            ) from None

    def give_back(self, provider: str) -> None:
        """Make room for another."""
        if provider in self.limits:
            self._places[provider].release()
