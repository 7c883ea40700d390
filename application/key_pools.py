"""Several keys for one provider: chosen by weight, and rested when the provider limits them."""

import asyncio
import math
import random
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from attrs import define, field, frozen

from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import (
    CredentialsRefused,
    DomainError,
    InvalidRequest,
    NotFound,
    Throttled,
)
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.secret_source import SecretSource

SHORTEST_REST = 1.0
"""Seconds that a key rests after a 429 that does not say how long."""
_HEAVIEST = 1_000_000
_LONGEST_LABEL = 64
_TICK = 1e-6
"""Seconds by which a sleep may end early, by the rounding of the clock."""


@frozen
class PoolKey:
    """One key: the *secret* itself, or its *name* in the secret source.

    *weight* is its share of the calls, *label* what records call it.

    Raises:
        InvalidRequest: a field is malformed, or there is not just one of *secret* and *name*.
    """

    label: str
    secret: Secret | None = field(default=None, repr=False)
    name: str = ""
    weight: int = 1

    def __attrs_post_init__(self) -> None:
        if type(self.weight) is not int or not 1 <= self.weight <= _HEAVIEST:
            raise InvalidRequest("a key's weight is a whole number, 1 or more")
        label = self.label
        named = isinstance(label, str) and label.isprintable() and label.strip()
        if not named or len(label) > _LONGEST_LABEL:
            raise InvalidRequest("a key's label is 1-64 printable characters")
        if not isinstance(self.name, str) or not isinstance(self.secret, Secret | None):
            raise InvalidRequest("a key is a Secret, or the name of one in the secret source")
        if (self.secret is None) is (self.name == ""):
            raise InvalidRequest(
                f"the key {label} is a secret, or the name of one in the secret source, not both"
            )


@define(eq=False)
class KeyPool:
    """The keys of one provider, each with a label of its own.

    Raises:
        InvalidRequest: there is none, or a label is given twice.
    """

    keys: Sequence[PoolKey]
    _rests_until: dict[str, float] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        keys = self.keys
        if not isinstance(keys, Sequence) or not all(isinstance(key, PoolKey) for key in keys):
            raise InvalidRequest("a pool of keys is a list of PoolKeys")
        if not keys or len({key.label for key in keys}) < len(keys):
            raise InvalidRequest("a pool has one key or more, and names each once (label)")

    def choose(self, *, now: float, chance: float, without: Collection[str] = ()) -> PoolKey | None:
        """Return a key that does not rest and is not labelled as one of *without*, if there is one.

        *chance* is drawn from 0 to 1; among those keys the weights decide.
        """
        ready = [key for key in self._but(without) if self._rest(key, now) == 0]
        place = chance * sum(key.weight for key in ready)
        for key in ready:
            place -= key.weight
            if place < 0:
                return key
        return ready[-1] if ready else None

    def wait(self, *, now: float, without: Collection[str] = ()) -> float:
        """Return the seconds until :meth:`choose` finds a key; infinite if it never will."""
        return min((self._rest(key, now) for key in self._but(without)), default=math.inf)

    def rest(self, label: str, *, until: float) -> None:
        """Leave the key called *label* alone until *until*."""
        self._rests_until[label] = max(until, self._rests_until.get(label, 0.0))

    def _but(self, without: Collection[str]) -> Sequence[PoolKey]:
        return [key for key in self.keys if key.label not in without] if without else self.keys

    def _rest(self, key: PoolKey, now: float) -> float:
        seconds = self._rests_until.get(key.label, 0.0) - now
        return seconds if seconds > _TICK else 0.0


@frozen
class KeyPools:
    """The pools by provider; a provider without one uses its adapter's own key."""

    pools: Mapping[str, KeyPool] = field(factory=dict)
    source: SecretSource | None = None
    chance: random.Random = field(factory=random.Random, repr=False)

    def pool(self, provider: str) -> KeyPool | None:
        """Return the provider's pool, if it has one."""
        return self.pools.get(provider)

    async def credential(
        self, pool: KeyPool, provider: str, base_url: str, *, refused: set[str], port: str
    ) -> Credential:
        """Draw a key of *pool*, and bind it to *base_url* of *provider*.

        The keys labelled as *refused* says are passed over; those without a usable secret are
        added to them.

        Raises:
            Throttled: every key that is left rests (code ``keys_resting``).
            CredentialsRefused: none is left, since the secret source does not have their secrets
                (code ``secret_not_found``), or has what cannot be sent.
            PortError: the secret source cannot be reached.
        """
        unusable: DomainError | None = None
        while True:
            now = asyncio.get_running_loop().time()
            key = pool.choose(now=now, chance=self.chance.random(), without=refused)
            if key is None:
                break
            try:
                secret = await self._secret_of(key)
                return Credential(provider, base_url, secret, label=key.label)
            except (NotFound, InvalidRequest) as error:
                # The house's own omission: it must not read as if the caller had made it.
                unusable = error
                refused.add(key.label)
        wait = pool.wait(now=now, without=refused)
        if wait < math.inf:
            raise Throttled(
                f"every key for {provider} rests after a limit of the provider's",
                port=port,
                adapter=provider,
                retry_after=timedelta(seconds=wait),
                code="keys_resting",
            ) from unusable
        raise CredentialsRefused(
            f"no key for {provider} can be used: the secret source has none, or what it has is no "
            f"key ({', '.join(sorted(refused))})",
            port=port,
            adapter=provider,
            code="secret_not_found" if isinstance(unusable, NotFound) else None,
        ) from unusable

    async def _secret_of(self, key: PoolKey) -> Secret:
        if key.secret is not None:
            return key.secret
        if self.source is None:
            raise NotFound(f"no secret source has {key.name}", code="secret_not_found")
        return await self.source.secret(key.name)
