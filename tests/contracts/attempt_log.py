"""The contract of :class:`tollkeeper.ports.attempt_log.AttemptLog`."""

import asyncio
from datetime import datetime, timedelta

import pytest
from attrs import evolve

from tollkeeper.contracts.attempts_with_money import AttemptsWithMoney
from tollkeeper.contracts.ledger_cancellation import MOMENTS, give_up_on
from tollkeeper.contracts.samples import ODD_TEXT, an_attempt, new_id, usd
from tollkeeper.domain.attempts import Attempt, Billed, Outcome, Settlement
from tollkeeper.domain.errors import NotFound
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import LARGEST_NANOS, Money
from tollkeeper.ports.attempt_log import AttemptLog

LARGEST_QUANTITY = 2**63 - 1


def in_order(attempts: list[Attempt]) -> tuple[Attempt, ...]:
    """Sort *attempts* as the log does."""
    return tuple(sorted(attempts, key=lambda attempt: (attempt.started_at, attempt.id)))


class AttemptLogContract(AttemptsWithMoney):
    """What every attempt log promises. Fixtures: ``attempt_log``, ``ledger`` of the same store."""

    async def test_attempt_comes_back_as_given(
        self, attempt_log: AttemptLog, account: str, now: datetime
    ) -> None:
        plain = an_attempt(account, at=now)
        odd = Attempt(
            id=ODD_TEXT + new_id("attempt"),
            call_id=ODD_TEXT,
            account=account,
            number=17,
            provider="groq",
            model=f"groq/{ODD_TEXT}",
            credential="",
            started_at=now + timedelta(microseconds=123_456),
            lasted=timedelta(days=3, microseconds=1),
            outcome=Outcome.FAILED,
            billed=Billed.UNKNOWN,
            settlement=Settlement.WRITTEN_OFF,
            provenance=Provenance.MISSING,
            quantities={Meter.REASONING_TOKENS: LARGEST_QUANTITY, Meter.REQUESTS: 0},
            cost=Money(LARGEST_NANOS, "EUR"),
            price_id=ODD_TEXT,
            error=ODD_TEXT,
        )
        left = evolve(
            odd,
            id=new_id("attempt"),
            started_at=now + timedelta(seconds=1),
            lasted=timedelta(0),
            outcome=Outcome.ABANDONED,
            billed=Billed.NO,
            settlement=Settlement.NOTHING,
            quantities={},
            cost=Money.zero("USD"),
        )
        await attempt_log.record([plain, odd, left])
        assert await attempt_log.attempts(account=account) == (plain, odd, left)

    async def test_log_of_an_account_never_named_is_empty(
        self, attempt_log: AttemptLog, account: str
    ) -> None:
        assert await attempt_log.attempts(account=account) == ()
        assert await attempt_log.attempts(account=account, call_id="call") == ()

    async def test_attempts_come_in_order_of_their_start(
        self, attempt_log: AttemptLog, account: str, now: datetime
    ) -> None:
        seconds = (3, 1, 2, 1, 0, 1)
        attempts = [an_attempt(account, at=now + timedelta(seconds=n)) for n in seconds]
        for attempt in attempts:
            await attempt_log.record([attempt])
        assert await attempt_log.attempts(account=account) == in_order(attempts)

    async def test_attempts_come_in_pages(
        self, attempt_log: AttemptLog, account: str, now: datetime
    ) -> None:
        seconds = (0, 2, 1, 1, 0, 1, 3)
        attempts = [
            an_attempt(account, at=now + timedelta(seconds=second), call_id="call", id=new_id("a"))
            for second in seconds
        ]
        others = [an_attempt(account, at=now + timedelta(seconds=n)) for n in (0, 1, 4)]
        await attempt_log.record(attempts + others)
        since, until = now + timedelta(seconds=1), now + timedelta(seconds=3)
        for call_id, start, end, expected in (
            (None, None, None, attempts + others),
            ("call", None, None, attempts),
            ("call", since, until, [*attempts[1:4], attempts[5]]),
            (None, since, until, [*attempts[1:4], attempts[5], others[1]]),
        ):
            seen: list[Attempt] = []
            sizes = []
            while page := await attempt_log.attempts(
                account=account,
                call_id=call_id,
                since=start,
                until=end,
                limit=2,
                after=seen[-1].id if seen else None,
            ):
                seen += page
                sizes.append(len(page))
            assert tuple(seen) == in_order(expected)
            assert sizes == [2] * (len(expected) // 2) + [1] * (len(expected) % 2)

    async def test_unknown_page_is_not_there(
        self, attempt_log: AttemptLog, account: str, now: datetime
    ) -> None:
        mine, theirs = (an_attempt(who, at=now) for who in (account, f"{account}-other"))
        await attempt_log.record([mine, theirs])
        for after in (new_id("attempt"), theirs.id):
            with pytest.raises(NotFound):
                await attempt_log.attempts(account=account, after=after)

    async def test_attempts_of_one_call_come_alone(
        self, attempt_log: AttemptLog, account: str, now: datetime
    ) -> None:
        one, other = (
            [an_attempt(account, at=now, call_id=call_id, number=n) for n in (1, 2, 3)]
            for call_id in (new_id("call"), new_id("call"))
        )
        await attempt_log.record([*one, *other])
        for call in (one, other):
            found = await attempt_log.attempts(account=account, call_id=call[0].call_id)
            assert found == tuple(call)

    async def test_attempts_come_from_since_until_before_until(
        self, attempt_log: AttemptLog, account: str, now: datetime
    ) -> None:
        moments = [now + timedelta(microseconds=n) for n in (-1, 0, 1, 999_999, 1_000_000)]
        attempts = [an_attempt(account, at=moment) for moment in moments]
        await attempt_log.record(attempts[::-1])
        for first, last in [(0, 5), (1, 4), (2, 3), (1, 1)]:
            found = await attempt_log.attempts(
                account=account,
                since=moments[first] if first else None,
                until=moments[last] if last < 5 else None,
            )
            assert list(found) == attempts[first:last]

    async def test_accounts_do_not_see_one_another(
        self, attempt_log: AttemptLog, account: str, now: datetime
    ) -> None:
        other = f"{account}-other"
        mine = an_attempt(account, at=now, call_id="call", id=new_id("attempt"))
        theirs = an_attempt(other, at=now, call_id="call", id=new_id("attempt"))
        await attempt_log.record([mine, theirs])
        for who, attempt in ((account, mine), (other, theirs)):
            for call_id in (None, "call"):
                assert await attempt_log.attempts(account=who, call_id=call_id) == (attempt,)

    async def test_attempt_is_recorded_once(
        self, attempt_log: AttemptLog, account: str, now: datetime
    ) -> None:
        first, second = an_attempt(account, at=now), an_attempt(account, at=now)
        await attempt_log.record([first, first])
        await attempt_log.record([first, second])
        await attempt_log.record([])
        assert await attempt_log.attempts(account=account) == in_order([first, second])

    async def test_attempt_never_changes(
        self, attempt_log: AttemptLog, account: str, now: datetime
    ) -> None:
        attempt = an_attempt(account, at=now)
        await attempt_log.record([attempt])
        retold = (
            evolve(attempt, cost=usd(9), outcome=Outcome.FAILED, error="timeout"),
            evolve(attempt, started_at=now + timedelta(days=1)),
            evolve(attempt, call_id="another"),
            evolve(attempt, account=f"{account}-other"),
        )
        for each in retold:
            await attempt_log.record([each])
        assert await attempt_log.attempts(account=f"{account}-other") == ()
        assert await attempt_log.attempts(account=account) == (attempt,)

    async def test_concurrent_records_keep_an_attempt_once(
        self, attempt_log: AttemptLog, account: str, now: datetime
    ) -> None:
        attempts = [an_attempt(account, at=now) for _ in range(16)]
        await asyncio.gather(*(attempt_log.record(attempts[n : n + 4]) for n in range(16)))
        assert await attempt_log.attempts(account=account) == in_order(attempts)

    async def test_one_of_many_concurrent_tellings_is_kept(
        self, attempt_log: AttemptLog, account: str, now: datetime
    ) -> None:
        attempt = an_attempt(account, at=now)
        rivals = [evolve(attempt, started_at=now + timedelta(seconds=n)) for n in range(16)]
        await asyncio.gather(*(attempt_log.record([rival]) for rival in rivals))
        (kept,) = await attempt_log.attempts(account=account)
        assert kept in rivals

    @MOMENTS
    async def test_cancelled_record_is_whole(
        self, attempt_log: AttemptLog, account: str, now: datetime, ticks: int
    ) -> None:
        attempts = in_order([an_attempt(account, at=now) for _ in range(8)])
        await give_up_on(attempt_log.record(attempts), after=ticks)
        assert await attempt_log.attempts(account=account) in ((), attempts)
        await attempt_log.record(attempts)
        assert await attempt_log.attempts(account=account) == attempts
