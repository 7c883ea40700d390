"""The event log's contract: what is forgotten, when, and that it is said."""

import pytest

from tollkeeper.contracts.event_log_suite import (
    SECOND,
    Advance,
    EventLogSuite,
    appended,
    everything,
)
from tollkeeper.domain.event_logs import EventsLost, LogLimits
from tollkeeper.ports.event_log import EventLog

SHORT = LogLimits(age=SECOND)


class EventLogKeeping(EventLogSuite):
    """Logs that are bounded in length and in age."""

    async def test_the_oldest_beyond_the_length_are_forgotten_and_it_is_said(
        self, event_log: EventLog, log: str
    ) -> None:
        limits = LogLimits(length=3)
        events = [
            event
            for n in range(10)
            for event in await appended(event_log, log, b"%d" % n, limits=limits)
        ]
        assert await everything(event_log, log, events[6].id) == events[7:]
        assert await everything(event_log, log, events[8].id) == events[9:]
        for gone in (None, events[0].id, events[5].id):
            with pytest.raises(EventsLost) as lost:
                await event_log.read(log, after=gone)
            assert lost.value.code == "events_lost"
            assert lost.value.oldest is not None
            assert await everything(event_log, log, lost.value.oldest) == events[7:]

    async def test_more_at_once_than_the_length_leaves_the_newest(
        self, event_log: EventLog, log: str
    ) -> None:
        events = await appended(event_log, log, b"1", b"2", b"3", limits=LogLimits(length=1))
        assert [event.number for event in events] == [1, 2, 3]
        assert await everything(event_log, log, events[1].id) == [events[2]]
        with pytest.raises(EventsLost):
            await event_log.read(log)

    async def test_a_quiet_log_is_forgotten_after_its_age_and_its_numbers_later(
        self, event_log: EventLog, log: str, advance: Advance
    ) -> None:
        first, second = await appended(event_log, log, b"1", b"2", limits=SHORT)
        await advance(1.2 * SECOND)
        with pytest.raises(EventsLost):
            await event_log.read(log, after=first.id)
        assert (await event_log.read(log, after=second.id)).events == ()
        [third] = await appended(event_log, log, b"3", limits=SHORT)
        assert third.number == 3
        assert (await event_log.read(log, after=second.id)).events == (third,)
        await advance(2.2 * SECOND)
        with pytest.raises(EventsLost) as lost:
            await event_log.read(log, after=third.id)
        assert lost.value.oldest is None
        assert (await event_log.read(log)).events == ()
        [anew] = await appended(event_log, log, b"1")
        assert anew.number == 1
        assert await everything(event_log, log) == [anew]
        with pytest.raises(EventsLost) as lost:
            await event_log.read(log, after=third.id)
        assert lost.value.oldest is not None
        assert await everything(event_log, log, lost.value.oldest) == [anew]

    async def test_old_events_are_forgotten_while_new_ones_come(
        self, event_log: EventLog, log: str, advance: Advance
    ) -> None:
        [old] = await appended(event_log, log, b"old", limits=SHORT)
        await advance(0.6 * SECOND)
        [newer] = await appended(event_log, log, b"newer", limits=SHORT)
        await advance(0.6 * SECOND)
        with pytest.raises(EventsLost):
            await event_log.read(log)
        assert (await event_log.read(log, after=old.id)).events[:1] in ((newer,), ())

    async def test_who_reads_at_the_end_keeps_the_numbers(
        self, event_log: EventLog, log: str, advance: Advance
    ) -> None:
        [last] = await appended(event_log, log, b"1", limits=SHORT)
        for _ in range(5):
            await advance(0.6 * SECOND)
            assert (await event_log.read(log, after=last.id)).events == ()
        [following] = await appended(event_log, log, b"2", limits=SHORT)
        assert following.number == 2

    async def test_an_ended_log_is_forgotten_after_its_age(
        self, event_log: EventLog, log: str, advance: Advance
    ) -> None:
        [event] = await appended(event_log, log, b"1", limits=SHORT)
        await event_log.end(log, limits=SHORT)
        await advance(1.2 * SECOND)
        with pytest.raises(EventsLost):
            await event_log.read(log, after=event.id)
        assert (await appended(event_log, log, b"1"))[0].number == 1
