"""Those who follow a log ride out its store's short outages, and hear of the long ones."""

import asyncio
from datetime import timedelta

import pytest

from tollkeeper.adapters.memory.event_log import MemoryEventLog
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.application.event_logs import EventLogs
from tollkeeper.application.event_subscription import EventSubscription
from tollkeeper.domain.errors import CredentialsRefused, PortError, Unavailable
from tollkeeper.domain.event_logs import EventsLost, LoggedEvent, LogPage

pytestmark = pytest.mark.anyio
SHORT = timedelta(seconds=0.2)
NO_WAIT = timedelta(0)


class Unsteady(MemoryEventLog):
    """A log whose store goes away, and comes back."""

    failure: Exception | None = None
    failed = 0

    async def read(
        self,
        log: str,
        *,
        after: str | None = None,
        limit: int = 100,
        wait: timedelta = NO_WAIT,
    ) -> LogPage:
        for _ in range(100):
            if self.failure is not None:
                self.failed += 1
                raise self.failure
            page = await super().read(
                log, after=after, limit=limit, wait=min(wait, timedelta(milliseconds=10))
            )
            if page.events or page.ended or not wait:
                return page
        return LogPage()


def away() -> PortError:
    return Unavailable("away", port="event_log", adapter="test")


async def beyond_heartbeats(subscription: EventSubscription) -> LoggedEvent:
    async with asyncio.timeout(10):
        while (event := await anext(subscription)) is None:
            pass
        return event


@pytest.fixture
def log() -> Unsteady:
    return Unsteady(SystemClock())


async def test_a_short_outage_costs_nothing(log: Unsteady) -> None:
    events = EventLogs(log)
    async with events.subscribe("log", heartbeat=timedelta(milliseconds=50)) as subscription:
        assert await anext(subscription) is None
        log.failure = away()
        while not log.failed:
            await asyncio.sleep(0.001)
        assert await anext(subscription) is None
        log.failure = None
        [event] = await events.append("log", b"x")
        assert await beyond_heartbeats(subscription) == event


async def test_a_long_outage_is_said_to_all_and_each_goes_on_from_where_it_was(
    log: Unsteady,
) -> None:
    events = EventLogs(log, outage=SHORT)
    [first] = await events.append("log", b"first")
    async with events.subscribe("log") as one, events.subscribe("log") as two:
        assert await anext(one) == await anext(two) == first
        waiting = [asyncio.ensure_future(anext(each)) for each in (one, two)]
        await asyncio.sleep(0.03)
        assert events.readers == 1
        log.failure = away()
        async with asyncio.timeout(10):
            errors = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(error) for error in errors] == [Unavailable] * 2
        assert errors[0] is not errors[1]
        assert log.failed >= 2
        assert events.readers == 0
        log.failure = None
        [second] = await events.append("log", b"second")
        async with events.subscribe("log", after=one.after) as again:
            assert await anext(again) == second


async def test_an_outage_at_the_beginning_is_said_too(log: Unsteady) -> None:
    events = EventLogs(log, outage=SHORT)
    log.failure = away()
    async with events.subscribe("log") as subscription:
        with pytest.raises(Unavailable):
            await anext(subscription)
        log.failure = None
        [event] = await events.append("log", b"x")
        assert await anext(subscription) == event


async def test_what_a_retry_does_not_help_is_said_at_once(log: Unsteady) -> None:
    events = EventLogs(log)
    log.failure = CredentialsRefused("refused", port="event_log", adapter="test")
    async with events.subscribe("log") as subscription:
        with pytest.raises(CredentialsRefused):
            await anext(subscription)
    assert log.failed == 1


async def test_a_store_that_forgot_everything_is_noticed_by_who_waits(log: Unsteady) -> None:
    events = EventLogs(log)
    [first] = await events.append("log", b"first")
    async with events.subscribe("log") as subscription:
        assert await anext(subscription) == first
        waiting = asyncio.ensure_future(anext(subscription))
        await asyncio.sleep(0.03)
        log._logs.clear()
        [anew] = await events.append("log", b"anew")
        async with events.subscribe("log") as other:
            assert await anext(other) == anew
            with pytest.raises(EventsLost) as lost:
                await asyncio.wait_for(waiting, 10)
    async with events.subscribe("log", after=lost.value.oldest) as again:
        assert await anext(again) == anew
    assert events.readers == 0


async def test_a_fault_of_the_adapter_reaches_who_waits(log: Unsteady) -> None:
    events = EventLogs(log)
    async with events.subscribe("log", heartbeat=timedelta(milliseconds=20)) as subscription:
        assert await anext(subscription) is None
        log.failure = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError):
            await beyond_heartbeats(subscription)
    assert events.readers == 0


async def test_a_log_that_is_not_open_is_not_waited_for() -> None:
    store = Unsteady(SystemClock())
    store.failure = Unavailable("shut", port="event_log", adapter="test", code="not_open")
    async with EventLogs(store).subscribe("log") as events:
        with pytest.raises(Unavailable, match="shut"):
            await anext(events)
    assert store.failed == 1
