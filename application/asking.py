"""Asking providers until one answers: retries, fallbacks and hedging under one deadline.

Everything here happens before the first token reaches the caller. A call asks at most
``tries`` times along each route, whatever the reason; it never sleeps beyond its deadline, nor
after its last attempt.
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
from tollkeeper.application.turns import Turn, Turns
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import (
    CredentialsRefused,
    InvalidRequest,
    PortError,
    Throttled,
    Timeout,
    TollkeeperError,
)
from tollkeeper.domain.retries import RetryPolicy, Step, most_telling
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
            TollkeeperError: none did; the failure that tells most, see :func:`most_telling`.
        """
        try:
            if asked.hedge_after is None:
                return await self._chain(asked, asked.choices, opening)
            return await hedged(lambda chain: self._chain(asked, chain, opening), asked, opening)
        finally:
            asked.failures.clear()  # their frames hold what was asked, and would outlive the call

    async def _chain(
        self, asked: Asked[A], choices: Sequence[Choice[A]], opening: Opening[A, T]
    ) -> tuple[T, LiveAttempt[A]]:
        turns = Turns(asked, choices)
        while (turn := turns.next()) is not None:
            if turn.tried:
                await asyncio.sleep(max(0.0, turn.ready_at - _now()))
            try:
                return await self._once(asked, turn, opening)
            except TollkeeperError as error:
                turn.tried += 1
                asked.failures.append((turn.model, error))
                step = self._after(error, asked, turn, others=turns.others())
            turns.failed(turn, step)
        raise most_telling(asked.failures, wanted=asked.wanted)

    def _after(
        self, error: TollkeeperError, asked: Asked[A], turn: Turn[A], *, others: bool
    ) -> Step:
        """Say what follows on *error*, and note when the turn goes on."""
        now = _now()
        if now >= asked.deadline:
            return Step.STOP
        pool = self._pool(asked, turn.choice.route)
        other_key = pool is not None and pool.wait(now=now, without=turn.refused) == 0
        step = self.retries.after(error, tried=turn.tried, other_key=other_key)
        turn.ready_at = now
        if step is not Step.RETRY:
            return step
        waited = error.retry_after if isinstance(error, PortError) else None
        least = waited.total_seconds() if waited is not None else 0.0
        if pool is not None and isinstance(error, Throttled):
            # The limit is that key's: another is asked at once, or when the first has rested.
            least = pool.wait(now=now, without=turn.refused)
        pause = least
        if not (other_key and isinstance(error, Throttled)):
            jitter = self.retries.jitter(tried=turn.tried, chance=self.chance.random())
            pause += jitter.total_seconds()
        turn.ready_at = now + pause
        left = asked.deadline - now
        return self.retries.before(asked=least, pause=pause, left=left, others=others)

    def _pool(self, asked: Asked[A], route: Route[A]) -> KeyPool | None:
        return None if asked.credentials is not None else self.key_pools.pool(route.provider)

    async def _once(
        self, asked: Asked[A], turn: Turn[A], opening: Opening[A, T]
    ) -> tuple[T, LiveAttempt[A]]:
        route = turn.choice.route
        now = _now()
        if now >= asked.deadline:
            raise Timeout("there is no time left to ask", port=asked.port, adapter=route.provider)
        self.breakers.check(route.model, now=now, port=asked.port)
        await self.places.take(route.provider, within=asked.deadline - now, port=asked.port)
        try:
            pool = self._pool(asked, route)
            credential = await self._credential(asked, turn, pool)
            # Again, since others may have failed while this one waited.
            probing = self.breakers.enter(route.model, now=_now(), port=asked.port)
        except BaseException:
            self.places.give_back(route.provider)
            raise
        attempt = LiveAttempt(
            asked.records.next_number(),
            route,
            turn.choice.admission,
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
            if pool is not None and isinstance(error, CredentialsRefused):
                turn.refused.add(attempt.label)
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
        self, asked: Asked[A], turn: Turn[A], pool: KeyPool | None
    ) -> Credential | None:
        """Choose the credential of one attempt; None leaves it to the adapter's own."""
        route = turn.choice.route
        if asked.credentials is not None:
            own = asked.credentials.at(route.provider, route.base_url)
            if own is None:
                raise InvalidRequest(
                    f"the call brings credentials, and none for {route.provider}",
                    code="credential_missing",
                )
            return own
        if pool is None:
            return None
        return await self.key_pools.credential(
            pool, route.provider, route.base_url, refused=turn.refused, port=asked.port
        )


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
