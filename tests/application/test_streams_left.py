"""Streams that wait for one that is left, cancelled, stopped or not read on: nobody is held up."""

import asyncio
import gc
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.application.asked_models import answer, ask, failing, streamed
from tests.application.streams_at_once import (
    begun,
    ended,
    flights,
    open_keeping,
    read,
    slowly,
    words,
)
from tests.application.virtual_time import in_virtual_time, run
from tollkeeper import Completion, CompletionStream, Delta
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.application.flights import LONGEST_PAUSE
from tollkeeper.domain.errors import (
    Conflict,
    Timeout,
    Unavailable,
)

SECOND = timedelta(seconds=1)


async def _leave_by_closing(stream: CompletionStream, pieces: int) -> None:
    async with stream:
        for _ in range(pieces):
            await anext(stream)


async def _leave_by_breaking(stream: CompletionStream, pieces: int) -> None:
    seen = 0
    async for _ in stream:
        seen += 1
        if seen == pieces:
            break


async def _leave_by_failing(stream: CompletionStream, pieces: int) -> None:
    async with stream:
        for _ in range(pieces):
            await anext(stream)
        raise ValueError("the caller's own")


@in_virtual_time
@pytest.mark.parametrize("leave", [_leave_by_closing, _leave_by_breaking, _leave_by_failing])
@pytest.mark.parametrize("pieces", [1, 2, 3])
async def test_when_the_first_leaves_one_other_asks(
    tmp_path: Path, pieces: int, leave: Callable[[CompletionStream, int], Any]
) -> None:
    model = MemoryChatModel(words())
    async with open_keeping(tmp_path, model) as world:
        first, *others = begun(leave(streamed(world), pieces), *(read(world) for _ in range(9)))
        await ended(first)
        gc.collect()
        loop = asyncio.get_running_loop()
        left_at = loop.time()
        found = await asyncio.gather(*others)
        assert Counter(each.cached for each in found) == {False: 1, True: 8}
        assert len(model.requests) == 2
        assert loop.time() == left_at + 3
        assert flights(world) == 0


@in_virtual_time
async def test_a_stream_that_nobody_reads_holds_nobody_up(tmp_path: Path) -> None:
    model = MemoryChatModel(words())
    async with open_keeping(tmp_path, model) as world:
        never_read = streamed(world)
        assert not (await read(world)).cached
        assert asyncio.get_running_loop().time() == 3
        await never_read.aclose()


@in_virtual_time
async def test_a_caller_that_does_not_read_on_holds_the_others_up_for_a_pause_at_most(
    tmp_path: Path,
) -> None:
    model = MemoryChatModel(words())
    async with open_keeping(tmp_path, model) as world:
        idle = streamed(world)
        await anext(idle)
        loop = asyncio.get_running_loop()
        began = loop.time()
        found = await asyncio.gather(*(read(world) for _ in range(9)))
        assert Counter(each.cached for each in found) == {False: 1, True: 8}
        assert loop.time() - began == LONGEST_PAUSE + 3
        assert len(model.requests) == 2
        # It may go on all the same, and is charged as ever.
        assert (await idle.completion()).text == "one two three"
        assert await world.balance() == ("0.99996", "0.00")
        assert flights(world) == 0


@in_virtual_time
async def test_a_caller_that_reads_slowly_but_reads_leads_to_the_end(tmp_path: Path) -> None:
    model = MemoryChatModel(words(0.1))
    async with open_keeping(tmp_path, model) as world:
        slow, began = streamed(world), asyncio.get_running_loop().time()
        others = begun(*(read(world, after=0.01) for _ in range(5)))
        async for _ in slow:
            await asyncio.sleep(LONGEST_PAUSE - 0.5)
        assert all(each.cached for each in await asyncio.gather(*others))
        assert asyncio.get_running_loop().time() - began > 3 * LONGEST_PAUSE
        assert len(model.requests) == 1


@in_virtual_time
async def test_a_provider_that_is_slow_is_no_caller_that_is_away(tmp_path: Path) -> None:
    model = MemoryChatModel(words(LONGEST_PAUSE * 2))
    async with open_keeping(tmp_path, model) as world:
        found = await asyncio.gather(*(read(world) for _ in range(5)))
        assert Counter(each.cached for each in found) == {False: 1, True: 4}
        assert len(model.requests) == 1


@in_virtual_time
async def test_a_stream_waits_no_longer_than_its_own_deadline(tmp_path: Path) -> None:
    model = MemoryChatModel([slowly(100), *answer()])
    async with open_keeping(tmp_path, model) as world:
        [first] = begun(read(world))
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        found = await ended(*(read(world, timeout=SECOND * 30) for _ in range(5)))
        assert asyncio.get_running_loop().time() - began == 30
        assert {(type(each), getattr(each, "code", "")) for each in found} == {
            (Timeout, "answer_awaited")
        }
        assert not (await first).cached
        assert await world.balance() == ("0.99998", "0.00")
        assert flights(world) == 0


@in_virtual_time
async def test_who_asks_after_a_wait_has_only_the_time_that_is_left(tmp_path: Path) -> None:
    model = MemoryChatModel([slowly(20), *failing()], [slowly(100), *answer()])
    async with open_keeping(tmp_path, model) as world:
        found = await ended(*(read(world, timeout=SECOND * 30) for _ in range(3)))
        assert asyncio.get_running_loop().time() == 30
        codes = [getattr(each, "code", "") for each in found]
        assert codes == ["unavailable", "timeout", "answer_awaited"]
        assert (await world.balance())[1] == "0.00"
        assert flights(world) == 0


@in_virtual_time
async def test_waiters_that_leave_are_no_obstacle(tmp_path: Path) -> None:
    model = MemoryChatModel([slowly(2), *failing()], words())
    async with open_keeping(tmp_path, model) as world:
        first, *others = begun(*(read(world) for _ in range(10)))
        await asyncio.sleep(1)
        for each in others[:4]:
            each.cancel()
        found = await ended(first, *others)
        assert [type(each) for each in found[:5]] == [Unavailable, *[asyncio.CancelledError] * 4]
        assert [getattr(each, "cached", None) for each in found[5:]] == [False, *[True] * 4]
        assert flights(world) == 0


@in_virtual_time
async def test_closing_a_stream_that_waits_ends_the_wait_at_once(tmp_path: Path) -> None:
    model = MemoryChatModel(words())
    async with open_keeping(tmp_path, model) as world:
        [first] = begun(read(world))
        await asyncio.sleep(0.5)
        stream = streamed(world)
        [reader] = begun(stream.completion())
        await asyncio.sleep(0.25)
        await stream.aclose()
        with pytest.raises(Conflict) as caught:
            await reader
        assert caught.value.code == "stream_closed"
        assert asyncio.get_running_loop().time() == 0.75
        assert stream.receipt is None
        assert not (await first).cached
        assert flights(world) == 0


@in_virtual_time
async def test_closing_the_facade_ends_every_wait(tmp_path: Path) -> None:
    model = MemoryChatModel([Delta(text="one "), slowly(100), *answer()])
    async with open_keeping(tmp_path, model, options={"close_timeout": SECOND}) as world:
        leading = streamed(world)
        await anext(leading)
        readers = begun(*(read(world) for _ in range(3)), *(ask(world) for _ in range(3)))
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 1
    found = await ended(*readers)
    assert {getattr(each, "code", "") for each in found} == {"facade_closed"}
    assert leading.receipt is not None
    assert len(model.requests) == 1
    assert flights(world) == 0
    await leading.aclose()


async def _by_scope(seconds: float, work: Callable[[], Any]) -> None:
    with anyio.move_on_after(seconds):
        await work()


async def _by_group(seconds: float, work: Callable[[], Any]) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(work)
        await anyio.sleep(seconds)
        group.cancel_scope.cancel()


async def _by_task(seconds: float, work: Callable[[], Any]) -> None:
    task = asyncio.ensure_future(work())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("cut_off", [_by_scope, _by_group, _by_task])
@pytest.mark.parametrize("place", range(3))
def test_whoever_is_cancelled_at_whatever_time_the_others_get_one_answer(
    tmp_path: Path, place: int, cut_off: Callable[[float, Callable[[], Any]], Any]
) -> None:
    async def one(seconds: float) -> None:
        model = MemoryChatModel(words())
        async with open_keeping(tmp_path, model) as world:
            readers: list[Any] = [read(world, after=number / 100) for number in range(5)]
            cancelled = readers[place]
            readers[place] = cut_off(seconds, lambda: cancelled)
            found = [each for each in await asyncio.gather(*readers) if each is not None]
            assert len(found) == 4
            assert len(model.requests) == len(model.abandoned) + 1
            assert len(model.abandoned) == (place == 0 and 0 < seconds < 3)
            assert (await world.balance())[1] == "0.00"
            assert flights(world) == 0

    for tenths in range(1, 36, 3):
        run(lambda tenths=tenths: one(tenths / 10))  # type: ignore[misc]


def test_cancelled_at_each_turn_of_the_loop_nobody_is_left_waiting(tmp_path: Path) -> None:
    """Who is cancelled at the very moment at which it is handed the lead hands it on."""

    async def one(turns: int, place: int) -> bool:
        model = MemoryChatModel([slowly(0), Delta(text="x"), slowly(0), *failing()], answer())
        async with open_keeping(tmp_path, model) as world:
            readers = begun(*(streamed(world).completion() for _ in range(4)))
            for _ in range(turns):
                await asyncio.sleep(0)
            over = all(each.done() for each in readers)
            readers[place].cancel()
            async with asyncio.timeout(60):
                found = await ended(*readers)
            kinds = Counter(type(each) for each in found)
            assert set(kinds) <= {Completion, Unavailable, asyncio.CancelledError}
            assert kinds[Completion] >= 2
            assert (await world.balance())[1] == "0.00"
            assert flights(world) == 0
            return over

    for place in range(4):
        turns = 0
        while not run(lambda: one(turns, place)):  # noqa: B023 - run at once
            turns += 1
        assert turns >= 5
