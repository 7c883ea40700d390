"""Callers who share a statement keep to themselves: each gets its own answer, or its own error."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

import pytest
from attrs import define, field

from tollkeeper.adapters.postgres.batching import LARGEST_BATCH, Grouped
from tollkeeper.adapters.postgres.failures import PostgresFault, left_alone, no_schema
from tollkeeper.domain.errors import (
    Conflict,
    CorruptResponse,
    InvalidRequest,
    NotFound,
    Rejected,
    Timeout,
    TollkeeperError,
)

pytestmark = pytest.mark.anyio


@define(eq=False)
class Doubling:
    """Answers a number with its double, as a database would: after a while, and all or nothing."""

    timeout: float = 5.0
    asked: list[tuple[int, ...]] = field(factory=list)
    at_work: int = 0
    most_at_work: int = 0
    poison: frozenset[int] = frozenset()
    """Numbers for which a whole statement fails."""
    refused: frozenset[int] = frozenset()
    """Numbers that are answered with an error of their own."""
    down: Exception | None = None
    """What every statement fails with."""
    goes_on: asyncio.Event = field(factory=asyncio.Event)
    grouped: Grouped[int, int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.goes_on.set()
        self.grouped = Grouped(self.one, self.many, self.timeout)

    async def one(self, number: int) -> int:
        [answer] = await self._statement([number])
        if isinstance(answer, TollkeeperError):
            raise answer
        return answer

    async def many(self, numbers: Sequence[int]) -> list[int | TollkeeperError]:
        return await self._statement(numbers)

    async def _statement(self, numbers: Sequence[int]) -> list[int | TollkeeperError]:
        self.asked.append(tuple(numbers))
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            await asyncio.sleep(0)
            await self.goes_on.wait()
        finally:
            self.at_work -= 1
        if self.down is not None:
            raise self.down
        if self.poison.intersection(numbers):
            raise InvalidRequest("a text cannot be stored")
        return [NotFound(f"no {n}") if n in self.refused else 2 * n for n in numbers]

    async def all_of(self, numbers: Sequence[int]) -> list[int | BaseException]:
        asking = (self.grouped.ask(number) for number in numbers)
        return await asyncio.gather(*asking, return_exceptions=True)


async def test_one_statement_is_under_way_at_a_time_and_batches_are_bounded() -> None:
    doubling = Doubling()
    numbers = range(1000)
    assert await doubling.all_of(numbers) == [2 * number for number in numbers]
    assert doubling.most_at_work == 1
    assert max(map(len, doubling.asked)) == LARGEST_BATCH
    assert doubling.grouped.statements == len(doubling.asked) == 1 + (1000 - 1) // LARGEST_BATCH
    assert [n for batch in doubling.asked for n in batch] == list(numbers), (
        "first come, first served"
    )


async def test_who_asks_alone_is_asked_for_alone() -> None:
    doubling = Doubling()
    assert [await doubling.grouped.ask(n) for n in range(3)] == [0, 2, 4]
    assert doubling.asked == [(0,), (1,), (2,)]


async def test_an_error_of_one_request_is_its_own() -> None:
    doubling = Doubling(refused=frozenset({3, 7}))
    answers = await doubling.all_of(range(10))
    assert [n for n, answer in enumerate(answers) if isinstance(answer, NotFound)] == [3, 7]
    assert [answer for answer in answers if isinstance(answer, int)] == [
        2 * n for n in range(10) if n not in (3, 7)
    ]
    assert len(doubling.asked) == 1


@pytest.mark.parametrize("poison", [{0}, {127}, {5, 6}, {1, 64, 126}])
async def test_a_request_that_fails_the_statement_fails_alone(poison: set[int]) -> None:
    doubling = Doubling(poison=frozenset(poison))
    answers = await doubling.all_of(range(LARGEST_BATCH))
    failed = {n for n, answer in enumerate(answers) if isinstance(answer, InvalidRequest)}
    assert failed == poison
    assert [a for a in answers if isinstance(a, int)] == [
        2 * n for n in range(LARGEST_BATCH) if n not in poison
    ]
    # In halves: a request costs two statements for each time that the batch can be halved.
    assert len(doubling.asked) <= 1 + 2 * 7 * len(poison)


@pytest.mark.parametrize(
    ("down", "statements"),
    [
        (left_alone(timedelta(seconds=1)), 1),
        (no_schema(), 1),
        (RuntimeError("who knows"), 2 * LARGEST_BATCH - 1),
    ],
)
async def test_only_what_may_be_one_requests_fault_is_asked_again(
    down: Exception, statements: int
) -> None:
    doubling = Doubling(down=down)
    answers = await doubling.all_of(range(LARGEST_BATCH))
    assert {type(answer) for answer in answers} == {type(down)}
    assert len(doubling.asked) == statements


async def test_callers_who_fail_together_get_errors_of_their_own() -> None:
    error = Rejected("no", port="store", adapter="postgres", ambiguous=True, provider_code="42")
    error.__cause__ = PostgresFault(error)
    doubling = Doubling(down=error)
    answers = await doubling.all_of(range(4))
    assert len({id(answer) for answer in answers}) == 4
    for answer in answers:
        assert isinstance(answer, Rejected)
        assert (answer.public_message, answer.ambiguous, answer.provider_code) == ("no", True, "42")
        assert isinstance(answer.__cause__, PostgresFault)


async def test_a_statement_that_leaves_requests_unanswered_is_not_believed() -> None:
    doubling = Doubling()

    async def forgetful(numbers: Sequence[int]) -> list[int | TollkeeperError]:
        return [2 * number for number in numbers[1:]]

    doubling.grouped.many = forgetful
    for answer in await doubling.all_of(range(3)):
        assert isinstance(answer, CorruptResponse)
        assert answer.ambiguous


async def test_who_leaves_before_the_request_is_sent_takes_it_back() -> None:
    doubling = Doubling()
    doubling.goes_on.clear()
    asking = [asyncio.ensure_future(doubling.grouped.ask(n)) for n in range(6)]
    await asyncio.sleep(0.01)
    late = [asyncio.ensure_future(doubling.grouped.ask(n)) for n in range(6, 12)]
    await asyncio.sleep(0.01)
    asking[2].cancel()
    late[0].cancel()
    late[3].cancel()
    doubling.goes_on.set()
    answers = await asyncio.gather(*asking, *late, return_exceptions=True)
    left = {n for n, answer in enumerate(answers) if isinstance(answer, asyncio.CancelledError)}
    assert left == {2, 6, 9}
    assert [a for n, a in enumerate(answers) if n not in left] == [
        2 * n for n in range(12) if n not in left
    ]
    # The one who left late had been sent, the others had not.
    assert sorted(n for batch in doubling.asked for n in batch) == [
        n for n in range(12) if n not in (6, 9)
    ]


async def test_a_batch_that_everybody_left_is_no_statement() -> None:
    doubling = Doubling()
    doubling.goes_on.clear()
    first = asyncio.ensure_future(doubling.grouped.ask(1))
    await asyncio.sleep(0.01)
    gone = [asyncio.ensure_future(doubling.grouped.ask(n)) for n in range(2, 9)]
    await asyncio.sleep(0.01)
    for each in gone:
        each.cancel()
    doubling.goes_on.set()
    assert await first == 2
    assert await doubling.grouped.ask(10) == 20
    assert doubling.asked == [(1,), (10,)]


async def test_waiting_for_ones_turn_counts_against_the_deadline() -> None:
    doubling = Doubling(timeout=0.2)
    doubling.goes_on.clear()
    began = time.monotonic()
    sent = asyncio.ensure_future(doubling.grouped.ask(1))
    await asyncio.sleep(0.01)
    waiting = [asyncio.ensure_future(doubling.grouped.ask(n)) for n in range(2, 9)]
    ends = await asyncio.gather(sent, *waiting, return_exceptions=True)
    assert time.monotonic() - began < 2
    assert all(isinstance(end, Timeout) for end in ends)
    ambiguous = [isinstance(end, Timeout) and end.ambiguous for end in ends]
    assert ambiguous == [True] + [False] * 7, "only what was sent may have been done"
    doubling.goes_on.set()
    assert await doubling.grouped.ask(10) == 20
    assert doubling.asked == [(1,), (10,)], "nobody waits for an answer to the others"


def test_one_loop_after_another_and_the_callers_of_a_closed_one_hold_nothing_up() -> None:
    doubling = Doubling()

    async def leave_in_the_middle() -> None:
        doubling.goes_on = asyncio.Event()
        for n in range(3):
            asyncio.ensure_future(doubling.grouped.ask(n))  # noqa: RUF006 - left on purpose
        await asyncio.sleep(0.01)

    async def ask() -> list[int | BaseException]:
        doubling.goes_on = asyncio.Event()
        doubling.goes_on.set()
        return await doubling.all_of([4, 5])

    for _ in range(2):
        asyncio.run(leave_in_the_middle())
        assert asyncio.run(ask()) == [8, 10]


async def test_an_outage_of_one_batch_is_not_the_next_ones() -> None:
    doubling = Doubling(down=Conflict("an id is taken already"))
    assert {type(answer) for answer in await doubling.all_of(range(5))} == {Conflict}
    doubling.down = None
    assert await doubling.all_of(range(5)) == [0, 2, 4, 6, 8]
