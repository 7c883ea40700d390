"""Rate limiters, each with one fault."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from math import floor

from attrs import evolve

from tollkeeper.adapters.memory.rate_limiter import MemoryRateLimiter
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.rate_limits import RateDecision, RateLimit, RateRequest, decide

MICROSECOND = timedelta(microseconds=1)


class AdmitsAll(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        decision = await super().take(asked)
        return evolve(decision, allowed=True)


class Racy(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        now = round(self._clock.monotonic() * 1_000_000)
        arrivals = [self._arrivals.get(request.bucket, 0) for request in asked]
        await asyncio.sleep(0)
        decision, moved = decide(asked, arrivals, now=now)
        self._arrivals.update(zip((request.bucket for request in asked), moved, strict=True))
        return decision


class OneByOne(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        decision = RateDecision(True, 0)
        for request in asked:
            decision = await super().take([request])
            if not decision.allowed:
                break
        return decision


class RefusalsCount(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        decision = await super().take(asked)
        if not decision.allowed:
            for request in asked:
                self._arrivals[request.bucket] = self._arrivals.get(request.bucket, 0) + 1000
        return decision


class FixedWindow(MemoryRateLimiter):
    """Counts by the window of the wall, so that twice the limit passes at its edge."""

    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        now = round(self._clock.monotonic() * 1_000_000)
        for request in asked:
            window = request.limit.period // MICROSECOND
            name = f"{request.bucket} {now // window}"
            count = self._arrivals.get(name, 0) + request.cost
            if count > request.limit.requests:
                return RateDecision(False, 0, (window - now % window) * MICROSECOND)
            self._arrivals[name] = count
        return RateDecision(True, 0)


class RoundsTowardsMore(MemoryRateLimiter):
    """Divides the period rounded down, so that a moment too early passes."""

    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        shorter = [
            evolve(
                request,
                limit=RateLimit(
                    request.limit.requests,
                    floor(request.limit.period / MICROSECOND / request.limit.requests)
                    * request.limit.requests
                    * MICROSECOND,
                ),
            )
            for request in asked
        ]
        return await super().take(shorter)


class OneTooMany(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        more = [evolve(r, limit=RateLimit(r.limit.requests + 1, r.limit.period)) for r in asked]
        return await super().take(more)


class WaitTooShort(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        decision = await super().take(asked)
        return evolve(decision, retry_after=decision.retry_after / 2)


class WaitTooLong(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        decision = await super().take(asked)
        wait = timedelta(seconds=-(-decision.retry_after // timedelta(seconds=1)))
        return evolve(decision, retry_after=wait)


class WaitsForTheFirst(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        decision = await super().take(asked)
        if decision.allowed:
            return decision
        first = await super().take(asked[:1])
        return evolve(decision, retry_after=first.retry_after)


class ResetsTooSoon(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        decision = await super().take(asked)
        return evolve(decision, reset_after=decision.reset_after / 2)


class NeverSaysWhenItResets(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        return evolve(await super().take(asked), reset_after=timedelta(0))


class ResetIsTheWait(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        decision = await super().take(asked)
        return decision if decision.allowed else evolve(decision, reset_after=decision.retry_after)


class CostBlind(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        await self._check(asked)
        return await super().take([evolve(request, cost=1) for request in asked])

    async def _check(self, asked: Sequence[RateRequest]) -> None:
        decide(asked, [0] * len(asked), now=0)


class TakesAnyCost(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        try:
            return await super().take(asked)
        except InvalidRequest:
            return RateDecision(False, 0, timedelta(seconds=1))


class CountsBeforeItChecks(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        decision = RateDecision(True, 0)
        for request in asked:
            decision = await super().take([request])
        return decision


class LastOfTheName(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        return await super().take(list({request.bucket: request for request in asked}.values()))


class NeedsAQuestion(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        if not asked:
            raise InvalidRequest("nothing was asked")
        return await super().take(asked)


class OneBucketForAll(MemoryRateLimiter):
    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        short = [evolve(request, bucket=request.bucket.lower()[:41]) for request in asked]
        return await super().take(short)


class ForgetsAtRest(MemoryRateLimiter):
    """Forgets a bucket after a second, counting or not."""

    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        now = round(self._clock.monotonic() * 1_000_000)
        if now - self._next_sweep > 1_000_000:
            self._arrivals.clear()
            self._next_sweep = now
        return await super().take(asked)


class SavesUp(MemoryRateLimiter):
    """Lets a bucket at rest save up more than its limit."""

    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        now = round(self._clock.monotonic() * 1_000_000)
        for request in asked:
            arrival = self._arrivals.get(request.bucket)
            if arrival is not None and arrival < now:
                tolerance = request.limit.period // MICROSECOND
                self._saved = getattr(self, "_saved", 0) or now - arrival > 10 * tolerance
        decision = await super().take(asked)
        return evolve(decision, allowed=decision.allowed or bool(getattr(self, "_saved", 0)))


class RefusesOnTheDot(MemoryRateLimiter):
    """Takes the period for a millisecond longer than it is."""

    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        late = [
            evolve(r, limit=RateLimit(r.limit.requests, r.limit.period + timedelta(milliseconds=1)))
            for r in asked
        ]
        return await super().take(late)
