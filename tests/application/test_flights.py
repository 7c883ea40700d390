"""Flights: one leads, the others wait in their order, and nothing of those who left stays."""

import asyncio

import pytest

from tests.application.virtual_time import in_virtual_time
from tollkeeper.application.flights import LONGEST_PAUSE, Flights, Lead, Wait
from tollkeeper.domain.errors import Conflict

CLOSED = Conflict("closed", code="stream_closed")


def _waiting(flights: Flights, count: int, until: float = 60.0) -> "list[asyncio.Task[Lead]]":
    return [asyncio.ensure_future(flights.lead("a", until=until)) for _ in range(count)]


@in_virtual_time
async def test_they_lead_one_at_a_time_in_the_order_in_which_they_came() -> None:
    flights = Flights()
    lead = await flights.lead("a", until=60)
    waiting = _waiting(flights, 3)
    assert not lead.waited
    for place in range(3):
        await asyncio.sleep(1)
        assert [each.done() for each in waiting] == [each < place for each in range(3)]
        lead.end()
        lead = await waiting[place]
        assert lead.waited
    assert len(flights) == 1
    lead.end()
    assert len(flights) == 0


@in_virtual_time
async def test_a_lead_that_is_ended_twice_lets_one_other_lead() -> None:
    flights = Flights()
    lead = await flights.lead("a", until=60)
    waiting = _waiting(flights, 3)
    await asyncio.sleep(0)
    for _ in range(3):
        lead.end()
    await asyncio.sleep(1)
    assert [each.done() for each in waiting] == [True, False, False]
    for each in waiting:
        (await each).end()
    assert len(flights) == 0


@in_virtual_time
async def test_other_names_wait_for_nobody() -> None:
    flights = Flights()
    leads = [await flights.lead(name, until=0) for name in ("a", "b", "c")]
    assert len(flights) == 3
    for lead in leads:
        lead.end()
    assert len(flights) == 0


@in_virtual_time
@pytest.mark.parametrize("by", ["cancellation", "deadline", "another task"])
async def test_of_those_who_leave_a_long_flight_nothing_stays(by: str) -> None:
    flights = Flights()
    lead = await flights.lead("a", until=60)
    wait = Wait()
    for _ in range(100):
        until = asyncio.get_running_loop().time() + (1 if by == "deadline" else 60)
        waiting = asyncio.ensure_future(flights.lead("a", until=until, wait=wait))
        await asyncio.sleep(0)
        if by == "cancellation":
            waiting.cancel()
        elif by == "another task":
            wait.end(CLOSED)
        [error] = await asyncio.gather(waiting, return_exceptions=True)
        assert isinstance(error, TimeoutError | asyncio.CancelledError | Conflict)
    assert len(flights._waiting["a"]) == 0
    lead.end()
    assert len(flights) == 0


@in_virtual_time
async def test_who_leaves_at_the_moment_of_its_turn_hands_it_on() -> None:
    flights = Flights()
    lead = await flights.lead("a", until=60)
    first, second = _waiting(flights, 2)
    await asyncio.sleep(0)
    lead.end()
    first.cancel()
    (await second).end()
    assert first.cancelled()
    assert len(flights) == 0


@in_virtual_time
async def test_a_wait_that_is_over_is_not_ended_again() -> None:
    flights, wait = Flights(), Wait()
    wait.end(CLOSED)  # nobody waits yet
    lead = await flights.lead("a", until=60)
    waiting = asyncio.ensure_future(flights.lead("a", until=60, wait=wait))
    await asyncio.sleep(0)
    lead.end()
    wait.end(CLOSED)
    (await waiting).end()
    wait.end(CLOSED)
    assert len(flights) == 0


@in_virtual_time
async def test_the_watch_goes_off_a_pause_after_the_last_piece_and_not_before() -> None:
    flights, loop = Flights(), asyncio.get_running_loop()
    lead = await flights.lead("a", until=600)
    for _ in range(20):
        lead.handed_out()
        await asyncio.sleep(LONGEST_PAUSE * 0.9)
        lead.came_back()
        await asyncio.sleep(LONGEST_PAUSE * 3)
    assert not lead.ended
    lead.handed_out()
    began = loop.time()
    (await flights.lead("a", until=600)).end()
    assert loop.time() == pytest.approx(began + LONGEST_PAUSE)
    lead.came_back()
    lead.handed_out()
    lead.end()
    assert len(flights) == 0


@in_virtual_time
async def test_when_flights_are_closed_nobody_waits_nor_leads() -> None:
    flights = Flights()
    lead = await flights.lead("a", until=60)
    waiting = _waiting(flights, 3)
    await asyncio.sleep(0)
    flights.close()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [getattr(each, "code", "") for each in found] == ["facade_closed"] * 3
    with pytest.raises(Conflict):
        await flights.lead("b", until=60)
    lead.end()
    assert len(flights) == 0
