"""The ledger's contract: many callers at once."""

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import timedelta

from tollkeeper.contracts.ledger_caller import Caller, LedgerSuite
from tollkeeper.contracts.samples import a_usage_event, usd
from tollkeeper.domain.errors import (
    Conflict,
    DomainError,
    IdempotencyConflict,
    InsufficientCredit,
)
from tollkeeper.domain.ledger import Entry, Hold, HoldState
from tollkeeper.domain.money import Money
from tollkeeper.ports.usage_log import UsageLog


async def at_once(calls: Iterable[Awaitable[object]]) -> list[object]:
    """Make all *calls* at once; return what each returned, or the domain error it raised."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, DomainError):
            raise answer
    return list(answers)


def of_type(answers: Iterable[object], kind: type) -> int:
    """Count the answers of one kind."""
    return sum(type(answer) is kind for answer in answers)


class LedgerConcurrency(LedgerSuite):
    """Each call is one step, however many are under way."""

    async def test_concurrent_holds_never_overdraw(self, caller: Caller) -> None:
        await caller.grant(usd(50))
        answers = await at_once(caller.place(usd(1), f"hold {n}") for n in range(200))
        assert of_type(answers, Hold) == 50
        assert of_type(answers, InsufficientCredit) == 150
        assert await caller.books() == (usd(50), usd(50))

    async def test_concurrent_calls_spend_exactly_the_credit(self, caller: Caller) -> None:
        async def call(n: int) -> Entry:
            hold = await caller.place(usd(1), f"hold {n}")
            return await caller.capture(hold, usd(1))

        await caller.grant(usd(50))
        answers = await at_once(call(n) for n in range(200))
        # Nothing is given back, so whoever came in was one of fifty.
        assert of_type(answers, Entry) == 50
        assert of_type(answers, InsufficientCredit) == 150
        assert await caller.books() == (usd(0), usd(0))

    async def test_concurrent_holds_with_one_key_make_one_hold(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        answers = await at_once(caller.place(usd(1), "once") for _ in range(64))
        assert len(set(answers)) == 1
        assert await caller.books() == (usd(5), usd(1))

    async def test_concurrent_captures_make_one_entry(
        self, caller: Caller, usage_log: UsageLog
    ) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(3))
        event = a_usage_event(caller.account, at=caller.now, charge=usd(2))
        answers = await at_once(caller.capture(hold, usd(2), [event]) for _ in range(64))
        assert len(set(answers)) == 1
        assert (await caller.entries())[1:] == (answers[0],)
        assert await usage_log.events(account=caller.account) == (event,)
        assert await caller.books() == (usd(3), usd(0))

    async def test_one_of_two_concurrent_amounts_is_captured(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        hold = await caller.place(usd(3))
        answers = await at_once(caller.capture(hold, Money(n, "USD")) for n in range(16))
        assert (of_type(answers, Entry), of_type(answers, IdempotencyConflict)) == (1, 15)
        (entry,) = (answer for answer in answers if isinstance(answer, Entry))
        assert await caller.books() == (usd(5) + entry.amount, usd(0))

    async def test_one_of_two_concurrent_grants_keeps_the_key(self, caller: Caller) -> None:
        answers = await at_once(caller.grant(usd(n), "once") for n in range(1, 17))
        assert (of_type(answers, Entry), of_type(answers, IdempotencyConflict)) == (1, 15)
        (entry,) = (answer for answer in answers if isinstance(answer, Entry))
        assert await caller.books() == (entry.amount, usd(0))

    async def test_capture_and_release_never_both_happen(self, caller: Caller) -> None:
        await caller.grant(usd(32))
        holds = [await caller.place(usd(1), f"hold {n}") for n in range(32)]
        answers = await asyncio.gather(
            *(
                at_once(
                    [caller.capture(hold, usd(1)), caller.release(hold)]
                    if n % 2
                    else [caller.release(hold), caller.capture(hold, usd(1))]
                )
                for n, hold in enumerate(holds)
            )
        )
        captured = 0
        for pair in answers:
            assert of_type(pair, Conflict) == 1
            captured += of_type(pair, Entry)
        assert await caller.books() == (usd(32 - captured), usd(0))

    async def test_capture_and_expiry_give_back_once(self, caller: Caller) -> None:
        await caller.grant(usd(32))
        holds = [await caller.place(usd(1), f"hold {n}") for n in range(16)]
        later = caller.later(hours=1)
        answers = await at_once(
            call for hold in holds for call in (later.expire(limit=1), later.capture(hold, usd(1)))
        )
        assert of_type(answers, Entry) == 16
        assert await caller.books() == (usd(16), usd(0))

    async def test_concurrent_releases_and_expiries_give_back_once(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        await caller.place(usd(2), "stays", lives=timedelta(days=1))
        hold = await caller.place(usd(3), "goes")
        later = caller.later(hours=1)
        answers = await at_once(
            call for _ in range(16) for call in (later.release(hold), later.expire())
        )
        states = {answer.state for answer in answers if isinstance(answer, Hold)}
        assert len(states) == 1
        assert states <= {HoldState.RELEASED, HoldState.EXPIRED}
        assert await caller.books() == (usd(5), usd(2))

    async def test_concurrent_holds_free_an_overdue_one_once(self, caller: Caller) -> None:
        await caller.grant(usd(5))
        await caller.place(usd(5), "overdue")
        later = caller.later(hours=1)
        answers = await at_once(later.place(usd(1), f"hold {n}") for n in range(16))
        assert (of_type(answers, Hold), of_type(answers, InsufficientCredit)) == (5, 11)
        assert await caller.books() == (usd(5), usd(5))

    async def test_refused_callers_do_not_disturb_the_others(self, caller: Caller) -> None:
        accounts = [caller.of(str(n)) for n in range(16)]
        await asyncio.gather(*(each.grant(usd(1)) for each in accounts))
        answers = await at_once(
            each.place(usd(1 if n % 2 else 2)) for n, each in enumerate(accounts)
        )
        assert [type(answer) for answer in answers] == [InsufficientCredit, Hold] * 8
        for n, each in enumerate(accounts):
            assert await each.books() == (usd(1), usd(n % 2))
