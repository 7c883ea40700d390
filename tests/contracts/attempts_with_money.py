"""The attempt log's contract: attempts that the ledger logs with a capture or a release."""

from collections.abc import Callable, Coroutine
from datetime import timedelta

import pytest
from attrs import evolve

from tollkeeper.contracts.ledger_caller import Caller, LedgerSuite
from tollkeeper.contracts.ledger_cancellation import MOMENTS, give_up_on
from tollkeeper.contracts.ledger_concurrency import at_once
from tollkeeper.contracts.samples import an_attempt, new_id, usd
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.errors import (
    Conflict,
    DomainError,
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
)
from tollkeeper.domain.ledger import HoldState
from tollkeeper.ports.attempt_log import AttemptLog


def two_attempts(caller: Caller) -> tuple[Attempt, Attempt]:
    """Ask a provider twice for one call."""
    call_id = new_id("call")
    return (
        an_attempt(caller.account, at=caller.now, call_id=call_id),
        an_attempt(caller.account, at=caller.now, call_id=call_id, number=2),
    )


class AttemptsWithMoney(LedgerSuite):
    """Attempts and money go together. Fixtures: ``attempt_log``, ``ledger`` of the same store."""

    async def test_attempts_are_logged_with_the_capture(
        self, caller: Caller, attempt_log: AttemptLog
    ) -> None:
        attempts = two_attempts(caller)
        await caller.capture(await caller.place(usd(0)), usd(1), attempts=attempts)
        assert await attempt_log.attempts(account=caller.account) == attempts
        assert await caller.books() == (usd(-1), usd(0))

    async def test_attempts_are_logged_with_the_release(
        self, caller: Caller, attempt_log: AttemptLog
    ) -> None:
        attempts = two_attempts(caller)
        await caller.release(await caller.place(usd(0)), attempts=attempts)
        assert await attempt_log.attempts(account=caller.account) == attempts

    async def test_replayed_capture_adds_nothing(
        self, caller: Caller, attempt_log: AttemptLog
    ) -> None:
        attempts = two_attempts(caller)
        hold = await caller.place(usd(0))
        await caller.capture(hold, usd(1), attempts=attempts)
        retold = [evolve(attempt, cost=usd(9), error="timeout") for attempt in attempts]
        for again in (attempts, retold, ()):
            await caller.later(hours=1).capture(hold, usd(1), attempts=again)
        assert await attempt_log.attempts(account=caller.account) == attempts

    async def test_replayed_release_adds_nothing(
        self, caller: Caller, attempt_log: AttemptLog
    ) -> None:
        attempts = two_attempts(caller)
        hold = await caller.place(usd(0))
        retold = [evolve(attempt, cost=usd(9), error="timeout") for attempt in attempts]
        for again in (attempts, retold, ()):
            await caller.release(hold, attempts=again)
        assert await attempt_log.attempts(account=caller.account) == attempts

    async def test_attempt_that_a_replay_brings_is_not_lost(
        self, caller: Caller, attempt_log: AttemptLog
    ) -> None:
        (one, two), (three, four) = attempts = two_attempts(caller), two_attempts(caller)
        captured, released = await caller.place(usd(0), "one"), await caller.place(usd(0), "two")
        await caller.capture(captured, usd(1), attempts=[one])
        await caller.capture(captured, usd(1), attempts=[one, two])
        await caller.release(released, attempts=[three])
        await caller.release(released, attempts=[four])
        found = await attempt_log.attempts(account=caller.account)
        assert found == tuple(sorted(attempts[0] + attempts[1], key=lambda each: each.id))

    async def test_attempts_of_an_expired_hold_are_logged(
        self, caller: Caller, attempt_log: AttemptLog
    ) -> None:
        first, second = attempts = two_attempts(caller)
        late, given_back = await caller.place(usd(0), "one"), await caller.place(usd(0), "two")
        later = caller.later(hours=1)
        await later.expire()
        await later.capture(late, usd(1), attempts=[first])
        assert (await later.release(given_back, attempts=[second])).state is HoldState.EXPIRED
        assert await attempt_log.attempts(account=caller.account) == attempts

    async def test_attempt_that_was_recorded_before_is_passed_over(
        self, caller: Caller, attempt_log: AttemptLog
    ) -> None:
        first, second = attempts = two_attempts(caller)
        await attempt_log.record([first])
        retold = evolve(first, started_at=caller.now - timedelta(days=1))
        await caller.capture(await caller.place(usd(0)), usd(1), attempts=[retold, second])
        assert await attempt_log.attempts(account=caller.account) == attempts

    async def test_attempts_of_another_account_log_nothing(
        self, caller: Caller, attempt_log: AttemptLog
    ) -> None:
        mine, _ = two_attempts(caller)
        other = caller.of("other")
        stranger, _ = two_attempts(other)
        hold = await caller.place(usd(0))
        for end in (
            caller.capture(hold, usd(1), attempts=[mine, stranger]),
            caller.release(hold, attempts=[mine, stranger]),
        ):
            with pytest.raises(InvalidRequest) as refused:
                await end
            assert refused.value.code == "wrong_account"
        assert await attempt_log.attempts(account=caller.account) == ()
        assert await attempt_log.attempts(account=other.account) == ()
        assert await caller.books() == (usd(0), usd(0))

    async def test_refused_ends_of_a_hold_log_nothing(
        self, caller: Caller, attempt_log: AttemptLog
    ) -> None:
        attempts = two_attempts(caller)
        captured, released = await caller.place(usd(0), "one"), await caller.place(usd(0), "two")
        unknown = evolve(captured, id=new_id("hold"))
        await caller.capture(captured, usd(1))
        await caller.release(released)
        refusals: list[
            tuple[type[DomainError], Callable[[], Coroutine[object, object, object]]]
        ] = [
            (NotFound, lambda: caller.capture(unknown, usd(1), attempts=attempts)),
            (NotFound, lambda: caller.release(unknown, attempts=attempts)),
            (Conflict, lambda: caller.capture(released, usd(1), attempts=attempts)),
            (Conflict, lambda: caller.release(captured, attempts=attempts)),
            (IdempotencyConflict, lambda: caller.capture(captured, usd(2), attempts=attempts)),
        ]
        for refusal, end in refusals:
            with pytest.raises(refusal):
                await end()
        assert await attempt_log.attempts(account=caller.account) == ()

    async def test_concurrent_captures_log_an_attempt_once(
        self, caller: Caller, attempt_log: AttemptLog
    ) -> None:
        attempts = two_attempts(caller)
        hold = await caller.place(usd(0))
        await at_once(caller.capture(hold, usd(1), attempts=attempts) for _ in range(32))
        assert await attempt_log.attempts(account=caller.account) == attempts
        assert await caller.books() == (usd(-1), usd(0))

    async def test_capture_that_loses_a_race_logs_nothing(
        self, caller: Caller, attempt_log: AttemptLog
    ) -> None:
        hold = await caller.place(usd(0))
        rivals = [an_attempt(caller.account, at=caller.now) for _ in range(16)]
        answers = await at_once(
            caller.capture(hold, usd(n), attempts=[rival]) for n, rival in enumerate(rivals)
        )
        kept = [
            rival
            for rival, answer in zip(rivals, answers, strict=True)
            if not isinstance(answer, DomainError)
        ]
        assert len(kept) == 1
        assert await attempt_log.attempts(account=caller.account) == tuple(kept)

    @MOMENTS
    async def test_cancelled_capture_and_its_attempts_are_whole(
        self, caller: Caller, attempt_log: AttemptLog, ticks: int
    ) -> None:
        attempts = two_attempts(caller)
        hold = await caller.place(usd(0))
        await give_up_on(caller.capture(hold, usd(1), attempts=attempts), after=ticks)
        posted, _ = await caller.books()
        logged = await attempt_log.attempts(account=caller.account)
        if logged:  # whoever gave up may have been still at it
            posted, _ = await caller.books()
        assert (posted, logged) in ((usd(0), ()), (usd(-1), attempts))
        await caller.capture(hold, usd(1), attempts=attempts)
        assert await attempt_log.attempts(account=caller.account) == attempts
        assert await caller.books() == (usd(-1), usd(0))
