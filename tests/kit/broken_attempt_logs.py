"""Attempt logs, and ledgers that write to them, with one fault each, for their suite to find."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve

from tollkeeper.adapters.memory.attempt_log import MemoryAttemptLog
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.ledger import MemoryLedger
from tollkeeper.domain.attempts import Attempt, Outcome
from tollkeeper.domain.errors import Conflict, NotFound
from tollkeeper.domain.ledger import Entry, Hold, HoldState


def forget(database: MemoryDatabase, attempts: Sequence[Attempt]) -> None:
    """Take *attempts* out of the log, which a sound adapter would never do."""
    for attempt in attempts:
        known = database.attempts.pop(attempt.id, None)
        if known is not None:
            database.attempts_of[known.account].remove(known)


class EverythingAnswered(MemoryAttemptLog):
    """Keeps an attempt, but for how it ended."""

    async def attempts(self, **call: Any) -> tuple[Attempt, ...]:
        found = await super().attempts(**call)
        return tuple(evolve(attempt, outcome=Outcome.ANSWERED) for attempt in found)


class UnknownAccountRefused(MemoryAttemptLog):
    """Knows no account before its first attempt."""

    async def attempts(self, *, account: str, **call: Any) -> tuple[Attempt, ...]:
        if account not in self.database.attempts_of:
            raise NotFound("no such account")
        return await super().attempts(account=account, **call)


class AttemptsByArrival(MemoryAttemptLog):
    """Gives attempts as they came."""

    async def attempts(self, *, account: str, **call: Any) -> tuple[Attempt, ...]:
        found = await super().attempts(account=account, **call)
        return tuple(each for each in self.database.attempts_of.get(account, ()) if each in found)


class AttemptPagesByTimeAlone(MemoryAttemptLog):
    """Passes over attempts of the same moment as the last of the page before."""

    async def attempts(self, *, after: str | None = None, **call: Any) -> tuple[Attempt, ...]:
        page = await super().attempts(after=after, **call)
        last = None if after is None else self.database.attempts[after].started_at
        return tuple(each for each in page if last is None or each.started_at > last)


class AttemptPagesOffByOne(MemoryAttemptLog):
    """Gives one attempt too many."""

    async def attempts(self, *, limit: int = 100, **call: Any) -> tuple[Attempt, ...]:
        return await super().attempts(limit=limit + 1, **call)


class UnknownAttemptIsTheFirst(MemoryAttemptLog):
    """Begins anew where it does not know the page before."""

    async def attempts(self, *, after: str | None = None, **call: Any) -> tuple[Attempt, ...]:
        try:
            return await super().attempts(after=after, **call)
        except NotFound:
            return await super().attempts(**call)


class CallsIgnored(MemoryAttemptLog):
    """Gives the attempts of all calls, whichever was named."""

    async def attempts(self, *, call_id: str | None = None, **call: Any) -> tuple[Attempt, ...]:
        return await super().attempts(**call)


class AttemptsUntilIncluded(MemoryAttemptLog):
    """Counts the first moment of the next period too."""

    async def attempts(self, *, until: datetime | None = None, **call: Any) -> tuple[Attempt, ...]:
        later = None if until is None else until + timedelta(microseconds=1)
        return await super().attempts(until=later, **call)


class AttemptsSinceLeftOut(MemoryAttemptLog):
    """Leaves out the first moment of the period."""

    async def attempts(self, *, since: datetime | None = None, **call: Any) -> tuple[Attempt, ...]:
        later = None if since is None else since + timedelta(microseconds=1)
        return await super().attempts(since=later, **call)


class CallsOfEveryone(MemoryAttemptLog):
    """Gives the attempts of a call, whoever made it."""

    async def attempts(
        self, *, account: str, call_id: str | None = None, **call: Any
    ) -> tuple[Attempt, ...]:
        if call_id is None:
            return await super().attempts(account=account, **call)
        return tuple(e for e in self.database.attempts.values() if e.call_id == call_id)


class AppendsAgain(MemoryAttemptLog):
    """Knows no attempt a second time."""

    async def record(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            self.database.attempts[attempt.id] = attempt
            self.database.attempts_of[attempt.account].append(attempt)


class LastTellingWins(MemoryAttemptLog):
    """Lets a later telling replace an earlier one."""

    async def record(self, attempts: Sequence[Attempt]) -> None:
        forget(self.database, attempts)
        await super().record(attempts)


class RacyAttempts(MemoryAttemptLog):
    """Looks for the ids, and writes a moment later."""

    async def record(self, attempts: Sequence[Attempt]) -> None:
        new = [attempt for attempt in attempts if attempt.id not in self.database.attempts]
        await asyncio.sleep(0)
        for attempt in new:
            self.database.attempts[attempt.id] = attempt
            self.database.attempts_of[attempt.account].append(attempt)


class TornAttempts(MemoryAttemptLog):
    """Takes a moment for each attempt."""

    async def record(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            await asyncio.sleep(0)
            await super().record([attempt])


class EndsForgetAttempts(MemoryLedger):
    """Ends holds, and logs nothing."""

    async def capture(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Entry:
        return await super().capture(**call)

    async def release(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Hold:
        return await super().release(**call)


class EndsReplaceAttempts(MemoryLedger):
    """Lets the last end of a hold say what the attempts were."""

    async def capture(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Entry:
        forget(self.database, attempts)
        return await super().capture(attempts=attempts, **call)

    async def release(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Hold:
        forget(self.database, attempts)
        return await super().release(attempts=attempts, **call)


class DeafToReplays(MemoryLedger):
    """Looks at nothing that a replay brings."""

    async def capture(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Entry:
        return await super().capture(attempts=self._if_open(attempts, call["hold_id"]), **call)

    async def release(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Hold:
        return await super().release(attempts=self._if_open(attempts, call["hold_id"]), **call)

    def _if_open(self, attempts: Sequence[Attempt], hold_id: str) -> Sequence[Attempt]:
        hold = self.database.holds.get(hold_id)
        return attempts if hold is None or hold.state is HoldState.OPEN else ()


class KnownAttemptIsAConflict(MemoryLedger):
    """Refuses to end a hold with an attempt that is logged already."""

    async def capture(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Entry:
        if any(attempt.id in self.database.attempts for attempt in attempts):
            raise Conflict("an attempt is logged already")
        return await super().capture(attempts=attempts, **call)


class AttemptsLoggedFirst(MemoryLedger):
    """Logs the attempts before it knows whether the hold can end so."""

    async def capture(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Entry:
        self.database.log_attempts(attempts)
        return await super().capture(attempts=attempts, **call)

    async def release(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Hold:
        self.database.log_attempts(attempts)
        return await super().release(attempts=attempts, **call)


class RacyEnds(EndsForgetAttempts):
    """Looks for the attempts' ids, and writes a moment later."""

    async def capture(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Entry:
        new = [attempt for attempt in attempts if attempt.id not in self.database.attempts]
        await asyncio.sleep(0)
        entry = await super().capture(**call)
        await AppendsAgain(self.database).record(new)
        return entry


class TornEnds(MemoryLedger):
    """Takes the money, and logs the attempts a moment later."""

    async def capture(self, *, attempts: Sequence[Attempt] = (), **call: Any) -> Entry:
        entry = await super().capture(**call)
        await asyncio.sleep(0)
        self.database.log_attempts(attempts)
        return entry
