"""Several keys for one provider: chosen by weight, and rested when the provider limits them."""

import random
from collections.abc import Mapping, Sequence

from attrs import define, field, frozen

from tollkeeper.domain.errors import NotFound
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.secret_source import SecretSource

SHORTEST_REST = 1.0
"""Seconds that a key rests after a 429 that does not say how long."""


@frozen
class PoolKey:
    """One key: the *secret* itself, or its *name* in the secret source.

    *weight* is its share of the calls, *label* what records call it.
    """

    label: str
    secret: Secret | None = field(default=None, repr=False)
    name: str = ""
    weight: int = 1


@define(eq=False)
class KeyPool:
    """The keys of one provider."""

    keys: Sequence[PoolKey]
    _rests_until: dict[str, float] = field(factory=dict)

    def choose(self, *, now: float, chance: float) -> tuple[PoolKey, float]:
        """Return a key, and the seconds until it may be used: 0, unless all of them rest.

        *chance* is drawn from 0 to 1; among the keys that do not rest the weights decide.
        """
        ready = [key for key in self.keys if self._rests_until.get(key.label, 0.0) <= now]
        if not ready:
            soonest = min(self.keys, key=lambda key: self._rests_until[key.label])
            return soonest, self._rests_until[soonest.label] - now
        place = chance * sum(key.weight for key in ready)
        for key in ready:
            place -= key.weight
            if place < 0:
                return key, 0.0
        return ready[-1], 0.0

    def rest(self, label: str, *, until: float) -> None:
        """Leave the key called *label* alone until *until*."""
        self._rests_until[label] = max(until, self._rests_until.get(label, 0.0))


@frozen
class KeyPools:
    """The pools by provider; a provider without one uses its adapter's own key."""

    pools: Mapping[str, KeyPool] = field(factory=dict)
    source: SecretSource | None = None
    chance: random.Random = field(factory=random.Random, repr=False)

    def pool(self, provider: str) -> KeyPool | None:
        """Return the provider's pool, if it has one."""
        return self.pools.get(provider)

    async def secret_of(self, key: PoolKey) -> Secret:
        """Return the secret itself.

        Raises:
            NotFound: it is named, and there is none of that name.
            PortError: the secret source cannot be reached.
        """
        if key.secret is not None:
            return key.secret
        if self.source is None:
            raise NotFound(f"no secret source has {key.name}", code="secret_not_found")
        return await self.source.secret(key.name)
