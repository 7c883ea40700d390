"""The contract of :class:`tollkeeper.ports.event_log.EventLog`."""

import asyncio
from datetime import timedelta

import pytest

from tollkeeper.contracts.event_log_keeping import EventLogKeeping
from tollkeeper.contracts.event_log_suite import SECOND, appended, everything
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.event_logs import EventsLost, LogEnded
from tollkeeper.ports.event_log import EventLog

BAD_NAMES = ["", "line\nbreak", "nul\0", "\ud800", "n" * 256, 7, b"bytes"]
BAD_EVENTS = [[], "text", b"bytes", [b"sound", "text"], [b"sound", b"x" * (256 * 1024 + 1)], None]
BAD_IDS = ["", "no id", "1-2", "a-1-2 ", "a-1-2\n", "A-1-2", "a-01-2", "a--1-2", 7, "a-1-\u0662"]


class EventLogContract(EventLogKeeping):
    """What every log of events promises.

    Fixtures: ``event_log``, and ``advance``, an async callable that moves the log's own time on
    by a timedelta, some seconds at most. The suite's names are its own, so that it may run
    against a live server.
    """

    async def test_what_is_appended_is_numbered_and_read_in_order(
        self, event_log: EventLog, log: str
    ) -> None:
        first = await appended(event_log, log, b"one", b"two")
        second = await appended(event_log, log, b"three")
        assert [(e.number, e.data) for e in (*first, *second)] == [
            *[(1, b"one"), (2, b"two")],
            (3, b"three"),
        ]
        page = await event_log.read(log)
        assert page.events == (*first, *second)
        assert page.ended is False
        assert await event_log.read(log) == page

    async def test_ids_are_plain_words_and_each_is_another(
        self, event_log: EventLog, log: str
    ) -> None:
        ids = [event.id for event in await appended(event_log, log, *[b"x"] * 20)]
        assert len(set(ids)) == 20
        assert all(one.isascii() and one.isprintable() and " " not in one for one in ids)

    async def test_reading_resumes_after_any_event(self, event_log: EventLog, log: str) -> None:
        events = await appended(event_log, log, *[b"%d" % n for n in range(20)])
        for number, event in enumerate(events, 1):
            assert await everything(event_log, log, event.id) == list(events[number:])
        assert (await event_log.read(log, after=events[4].id, limit=3)).events == events[5:8]

    async def test_events_may_be_any_bytes(self, event_log: EventLog, log: str) -> None:
        kinds = [b"", b"\0", b"\r\n", bytes(range(256)), b"x" * (256 * 1024)]
        await appended(event_log, log, *kinds)
        assert [event.data for event in await everything(event_log, log)] == kinds

    async def test_those_who_append_at_once_leave_no_hole_and_mix_nothing(
        self, event_log: EventLog, log: str
    ) -> None:
        batches = [[b"%d %d" % (who, n) for n in range(3)] for who in range(40)]
        answers = await asyncio.gather(*(appended(event_log, log, *batch) for batch in batches))
        found = await everything(event_log, log)
        assert [event.number for event in found] == list(range(1, 121))
        for answer, batch in zip(answers, batches, strict=True):
            at = answer[0].number - 1
            assert tuple(found[at : at + 3]) == answer
            assert [event.data for event in answer] == batch

    async def test_a_log_that_is_not_there_has_nothing_yet(
        self, event_log: EventLog, log: str
    ) -> None:
        page = await event_log.read(log)
        assert (page.events, page.ended) == ((), False)

    async def test_waiting_in_vain_ends_in_time(
        self, event_log: EventLog, log: str, patience: timedelta
    ) -> None:
        [last] = await appended(event_log, log, b"x")
        loop = asyncio.get_running_loop()
        for name, after in ((log, last.id), (log + "-other", None)):
            began = loop.time()
            async with asyncio.timeout(patience.total_seconds()):
                page = await event_log.read(name, after=after, wait=0.1 * SECOND)
            assert (page.events, page.ended) == ((), False)
            assert loop.time() - began > 0.09

    @pytest.mark.parametrize("there", [True, False])
    async def test_whoever_waits_gets_what_comes(
        self, event_log: EventLog, log: str, patience: timedelta, *, there: bool
    ) -> None:
        after = (await appended(event_log, log, b"first"))[0].id if there else None
        asked = [
            asyncio.ensure_future(event_log.read(log, after=after, wait=2 * patience))
            for _ in range(5)
        ]
        await asyncio.sleep(0.05)
        assert not any(one.done() for one in asked)
        events = await appended(event_log, log, b"next")
        async with asyncio.timeout(patience.total_seconds()):
            pages = await asyncio.gather(*asked)
        assert [page.events for page in pages] == [events] * 5

    async def test_what_is_there_is_not_waited_for(
        self, event_log: EventLog, log: str, patience: timedelta
    ) -> None:
        [event] = await appended(event_log, log, b"x")
        async with asyncio.timeout(patience.total_seconds()):
            assert (await event_log.read(log, limit=100, wait=2 * patience)).events == (event,)

    async def test_one_who_leaves_while_waiting_takes_nothing_along(
        self, event_log: EventLog, log: str, patience: timedelta
    ) -> None:
        [first] = await appended(event_log, log, b"first")
        asked = [
            asyncio.ensure_future(event_log.read(log, after=first.id, wait=2 * patience))
            for _ in range(10)
        ]
        await asyncio.sleep(0.05)
        for one in asked[:5]:
            one.cancel()
        await asyncio.wait(asked[:5])
        assert all(one.cancelled() for one in asked[:5])
        events = await appended(event_log, log, b"next")
        async with asyncio.timeout(patience.total_seconds()):
            pages = await asyncio.gather(*asked[5:])
        assert [page.events for page in pages] == [events] * 5

    async def test_an_ended_log_ends_its_readers_after_its_last_event(
        self, event_log: EventLog, log: str, patience: timedelta
    ) -> None:
        events = await appended(event_log, log, b"1", b"2", b"3")
        waiting = asyncio.ensure_future(event_log.read(log, after=events[-1].id, wait=2 * patience))
        await asyncio.sleep(0.05)
        await event_log.end(log)
        async with asyncio.timeout(patience.total_seconds()):
            page = await waiting
        assert (page.events, page.ended) == ((), True)
        page = await event_log.read(log, limit=2, wait=2 * patience)
        assert (page.events, page.ended) == (events[:2], False)
        page = await event_log.read(log, after=events[1].id, limit=2, wait=2 * patience)
        assert (page.events, page.ended) == (events[2:], True)
        page = await event_log.read(log, limit=3, wait=2 * patience)
        assert (page.events, page.ended) == (events, True)

    async def test_nothing_is_appended_to_an_ended_log(self, event_log: EventLog, log: str) -> None:
        [event] = await appended(event_log, log, b"1")
        await event_log.end(log)
        with pytest.raises(LogEnded) as refused:
            await appended(event_log, log, b"2")
        assert refused.value.code == "log_ended"
        await event_log.end(log)
        page = await event_log.read(log)
        assert (page.events, page.ended) == ((event,), True)

    async def test_a_log_may_end_before_it_began(
        self, event_log: EventLog, log: str, patience: timedelta
    ) -> None:
        await event_log.end(log)
        async with asyncio.timeout(patience.total_seconds()):
            page = await event_log.read(log, wait=2 * patience)
        assert (page.events, page.ended) == ((), True)
        with pytest.raises(LogEnded):
            await appended(event_log, log, b"1")

    async def test_logs_do_not_meet(self, event_log: EventLog, log: str) -> None:
        names = [log, log + ":", log.upper(), log + " x", log + "é", log + "{", log + "%7B"]
        events = {name: await appended(event_log, name, name.encode()) for name in names}
        for name in names:
            assert tuple(await everything(event_log, name)) == events[name]
        with pytest.raises(EventsLost):
            await event_log.read(names[0], after=events[names[1]][0].id)

    async def test_an_id_that_is_yet_to_come_is_no_point_to_resume_from(
        self, event_log: EventLog, log: str
    ) -> None:
        [event] = await appended(event_log, log, b"1")
        life, moment, _ = event.id.split("-")
        for forged in (f"{life}-{moment}-2", f"{life}-{10**15}-9"):
            with pytest.raises(EventsLost):
                await event_log.read(log, after=forged)

    @pytest.mark.parametrize("bad", BAD_NAMES, ids=ascii)
    async def test_malformed_names_are_refused(self, event_log: EventLog, bad: str) -> None:
        with pytest.raises(InvalidRequest):
            await event_log.append(bad, [b"x"])
        with pytest.raises(InvalidRequest):
            await event_log.end(bad)
        with pytest.raises(InvalidRequest):
            await event_log.read(bad)

    @pytest.mark.parametrize("bad", BAD_EVENTS, ids=lambda bad: ascii(bad)[:40])
    async def test_malformed_events_are_refused_and_nothing_is_appended(
        self, event_log: EventLog, log: str, bad: list[bytes]
    ) -> None:
        with pytest.raises(InvalidRequest) as refused:
            await event_log.append(log, bad)
        assert refused.value.code == "invalid_event"
        assert await everything(event_log, log) == []

    @pytest.mark.parametrize("bad", BAD_IDS, ids=ascii)
    async def test_what_is_no_id_is_refused(self, event_log: EventLog, log: str, bad: str) -> None:
        with pytest.raises(InvalidRequest) as refused:
            await event_log.read(log, after=bad)
        assert refused.value.code == "invalid_event_id"

    async def test_readings_that_are_not_sound_are_refused(
        self, event_log: EventLog, log: str
    ) -> None:
        for limit in (0, 1001, True, 1.0):
            with pytest.raises(InvalidRequest):
                await event_log.read(log, limit=limit)  # type: ignore[arg-type]
        for wait in (-SECOND, 1):
            with pytest.raises(InvalidRequest):
                await event_log.read(log, wait=wait)  # type: ignore[arg-type]
