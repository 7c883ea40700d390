"""Asking providers until one answers: retries, fallbacks and hedging under one deadline.

Everything here happens before the first token reaches the caller. A call asks at most
``tries`` times along each route, and along each route once; it never sleeps beyond its deadline,
nor after its last attempt.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

from attrs import field, frozen

from tollkeeper.application.asked import Asked, Choice, Opening
from tollkeeper.application.breakers import Breakers
from tollkeeper.application.frames import without_frames
from tollkeeper.application.hedging import hedged
from tollkeeper.application.key_pools import KeyPool, KeyPools
from tollkeeper.application.live_attempt import LiveAttempt
from tollkeeper.application.places import Places
from tollkeeper.application.routes import Route
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import (
    CredentialsRefused,
    InvalidRequest,
    NotFound,
    Throttled,
    Timeout,
    TollkeeperError,
)
from tollkeeper.domain.retries import RetryPolicy, Step
from tollkeeper.ports.clock import Clock

A = TypeVar("A")
T = TypeVar("T")


@frozen
class Asking:
    """Makes attempts, one after the other or, hedged, two at once."""

    clock: Clock
    retries: RetryPolicy = field(factory=RetryPolicy)
    breakers: Breakers = field(factory=Breakers)
    key_pools: KeyPools = field(factory=KeyPools)
    places: Places = field(factory=Places)
    attempt_timeout: timedelta | None = None
    """How long one attempt may take to its first token, or to its whole answer."""
    chance: random.Random = field(factory=random.Random, repr=False)

    async def first(self, asked: Asked[A], opening: Opening[A, T]) -> tuple[T, LiveAttempt[A]]:
        """Return what the first attempt that succeeds opened, and that attempt, still live.

        Raises:
            TollkeeperError: none did; the last failure, or the one that nobody else can mend.
        """
        if asked.hedge_after is None:
            return await self._chain(asked, asked.choices, opening)
        return await hedged(lambda choices: self._chain(asked, choices, opening), asked, opening)

    async def _chain(
        self, asked: Asked[A], choices: Sequence[Choice[A]], opening: Opening[A, T]
    ) -> tuple[T, LiveAttempt[A]]:
        waiting = list(choices)
        done: set[str] = set()
        while True:
            choice = waiting.pop(0)
            done.add(choice.route.model)
            try:
                return await self._along(asked, choice, opening)
            except TollkeeperError as error:
                step = self.retries.after(error, tried=self.retries.tries)
                more = {Step.LARGER: asked.larger, Step.UNFILTERED: asked.unfiltered}.get(step)
                if more is not None:
                    waiting = [each for each in more if each.route.model not in done]
                if step is Step.STOP or not waiting or _now() >= asked.deadline:
                    raise

    async def _along(
        self, asked: Asked[A], choice: Choice[A], opening: Opening[A, T]
    ) -> tuple[T, LiveAttempt[A]]:
        """Ask along one route, as often as the policy allows."""
        tried = 0
        while True:
            tried += 1
            try:
                return await self._once(asked, choice, opening)
            except TollkeeperError as error:
                if self.retries.after(error, tried=tried) is not Step.RETRY:
                    raise
                pause = self._pause(error, asked, choice.route, tried)
                if _now() + pause >= asked.deadline:
                    raise
            await asyncio.sleep(pause)

    def _pause(self, error: TollkeeperError, asked: Asked[A], route: Route[A], tried: int) -> float:
        pause = self.retries.pause(error, tried=tried, chance=self.chance.random())
        pool = self._pool(asked, route)
        if pool is None or not isinstance(error, Throttled):
            return pause.total_seconds()
        _, wait = pool.choose(now=_now(), chance=0.0)
        # The limit is the other key's; or no key is ready before, and to ask would be in vain.
        return max(pause.total_seconds(), wait) if wait > 0 else 0.0

    def _pool(self, asked: Asked[A], route: Route[A]) -> KeyPool | None:
        return None if asked.credentials else self.key_pools.pool(route.provider)

    async def _once(
        self, asked: Asked[A], choice: Choice[A], opening: Opening[A, T]
    ) -> tuple[T, LiveAttempt[A]]:
        route = choice.route
        now = _now()
        if now >= asked.deadline:
            raise Timeout("there is no time left to ask", port=asked.port, adapter=route.provider)
        self.breakers.check(route.model, now=now, port=asked.port)
        await self.places.take(route.provider, within=asked.deadline - now, port=asked.port)
        try:
            pool = self._pool(asked, route)
            credential = await self._credential(asked, route, pool)
            # Again, since others may have failed while this one waited.
            probing = self.breakers.enter(route.model, now=_now(), port=asked.port)
        except BaseException:
            self.places.give_back(route.provider)
            raise
        attempt = LiveAttempt(
            asked.records.next_number(),
            route,
            choice.admission,
            credential,
            self.clock.now(),
            asked.records,
            asked.measure,
            self.breakers,
            self.places,
            pool,
            probing,
        )
        try:
            return await self._opened(asked, attempt, opening), attempt
        except TollkeeperError as error:
            attempt.failed(error, getattr(error, "partial", None))
            raise
        except asyncio.CancelledError as error:
            if _now() >= asked.deadline - _TICK:
                attempt.failed(_late(asked, route))
            else:
                attempt.abandoned()
            raise without_frames(error) from None
        except BaseException:
            attempt.crashed()
            raise

    async def _opened(self, asked: Asked[A], attempt: LiveAttempt[A], opening: Opening[A, T]) -> T:
        if self.attempt_timeout is None:
            return await opening.open(attempt)
        try:
            async with asyncio.timeout(self.attempt_timeout.total_seconds()):
                return await opening.open(attempt)
        except TimeoutError as error:
            raise _late(asked, attempt.route) from without_frames(error)

    async def _credential(
        self, asked: Asked[A], route: Route[A], pool: KeyPool | None
    ) -> Credential | None:
        """Choose the credential of one attempt; None leaves it to the adapter's own."""
        if asked.credentials:
            own = asked.credentials.get(route.provider)
            if own is None:
                raise InvalidRequest(
                    f"the call brings credentials, and none for {route.provider}",
                    code="credential_missing",
                )
            return own
        if pool is None:
            return None
        key, wait = pool.choose(now=_now(), chance=self.key_pools.chance.random())
        if wait > 0:
            raise Throttled(
                f"every key for {route.provider} rests after a limit of the provider's",
                port=asked.port,
                adapter=route.provider,
                retry_after=timedelta(seconds=wait),
                code="keys_resting",
            )
        try:
            secret = await self.key_pools.secret_of(key)
        except NotFound as error:
            # The house's own omission: it must not read as if the caller's model were not found.
            raise CredentialsRefused(
                f"the key {key.label} for {route.provider} is in no secret source",
                port=asked.port,
                adapter=route.provider,
                code="secret_not_found",
            ) from error
        return Credential(route.provider, route.base_url, secret, label=key.label)


_TICK = 0.001
"""Seconds by which timers may go off early, by the resolution of their clock."""


def _now() -> float:
    return asyncio.get_running_loop().time()


def _late(asked: Asked[A], route: Route[A]) -> Timeout:
    return Timeout(
        f"{route.provider} did not answer in time",
        port=asked.port,
        adapter=route.provider,
        ambiguous=True,
    )
