"""Asking once for many, and never handing out what was asked for too early."""

import asyncio

import pytest
from attrs import define

from tollkeeper.adapters.aws.flights import Cut, Flights
from tollkeeper.domain.errors import Unavailable

pytestmark = pytest.mark.anyio


@define
class Answers:
    """Counts what is asked; each answer is its number, and comes a moment later."""

    asked: int = 0
    fails: bool = False

    async def __call__(self) -> int:
        self.asked += 1
        mine, fails = self.asked, self.fails
        for _ in range(5):
            await asyncio.sleep(0)
        if fails:
            raise Unavailable("away", port="test", adapter="test")
        return mine


@pytest.fixture
def flights() -> Flights[int]:
    return Flights()


async def running(flights: Flights[int], ask: Answers) -> "asyncio.Task[int]":
    """Have somebody ask, and return when the question is on its way."""
    task = asyncio.create_task(flights.join("a", ask))
    before = ask.asked
    while ask.asked == before:
        await asyncio.sleep(0)
    return task


async def test_those_who_join_share_an_answer(flights: Flights[int]) -> None:
    ask = Answers()
    assert await asyncio.gather(*(flights.join("a", ask) for _ in range(9))) == [1] * 9
    assert await flights.join("a", ask) == 2
    both = await asyncio.gather(flights.join("a", ask), flights.join("b", ask))
    assert sorted(both) == [3, 4]


async def test_who_asks_anew_never_gets_what_was_asked_for_before(flights: Flights[int]) -> None:
    ask = Answers()
    first = await running(flights, ask)
    later = [flights.anew("a", ask) for _ in range(9)]
    # Who joins while a newer answer is awaited gets the newer one.
    joined = [flights.join("a", ask) for _ in range(3)]
    assert await asyncio.gather(*later, *joined) == [2] * 12
    assert await first == 1
    assert ask.asked == 2


async def test_a_failure_is_everyones_and_is_not_kept(flights: Flights[int]) -> None:
    ask = Answers(fails=True)
    ends = await asyncio.gather(*(flights.join("a", ask) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(end, Unavailable) for end in ends)
    first = await running(flights, ask)
    ask.fails = False
    assert await flights.anew("a", ask) == 3
    with pytest.raises(Unavailable):
        await first
    assert await flights.join("a", ask) == 4


async def test_who_leaves_ends_nothing(flights: Flights[int]) -> None:
    ask = Answers()
    first = await running(flights, ask)
    others = [asyncio.create_task(flights.join("a", ask)) for _ in range(2)]
    await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.gather(*others) == [1, 1]
    assert first.cancelled()


async def test_closing_ends_what_runs_and_what_waits(flights: Flights[int]) -> None:
    ask = Answers()
    first = await running(flights, ask)
    second = asyncio.create_task(flights.anew("a", ask))
    await asyncio.sleep(0)
    await flights.close()
    for end in await asyncio.gather(first, second, return_exceptions=True):
        assert isinstance(end, Cut)
    assert ask.asked == 1
    await flights.close()
