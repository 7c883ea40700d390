"""Deadlines end what takes too long, and nothing else."""

import asyncio
import random
import time

import pytest

from tollkeeper.adapters.redis.deadlines import Deadlines

pytestmark = pytest.mark.anyio


async def _take(deadlines: Deadlines, seconds: float, *, work: float) -> str:
    try:
        with deadlines.at(asyncio.get_running_loop().time() + seconds):
            await asyncio.sleep(work)
    except TimeoutError:
        return "too late"
    return "done"


async def test_each_ends_at_its_own_time_whatever_the_order() -> None:
    deadlines = Deadlines()
    lengths = [0.05, 4, 0.02, 2, 0.05, 3] * 20
    began = time.monotonic()
    ended = await asyncio.gather(*(_take(deadlines, length, work=0.3) for length in lengths))
    assert ended == ["too late" if length < 0.3 else "done" for length in lengths]
    assert time.monotonic() - began < 1.5
    assert not deadlines._running


async def test_what_is_late_is_ended_at_once_and_not_with_the_next() -> None:
    deadlines = Deadlines()
    began = time.monotonic()
    ended = await asyncio.gather(
        _take(deadlines, 5, work=0.2), _take(deadlines, 0.05, work=5), _take(deadlines, 5, work=0)
    )
    assert list(ended) == ["done", "too late", "done"]
    assert time.monotonic() - began < 1


async def test_a_caller_who_leaves_is_cancelled_and_not_late() -> None:
    deadlines = Deadlines()
    task = asyncio.ensure_future(_take(deadlines, 0.05, work=5))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not deadlines._running
    # Who leaves in the very moment in which the time is over has left.
    task = asyncio.ensure_future(_take(deadlines, 0.02, work=5))
    await asyncio.sleep(0)
    deadlines._running[0].task.cancel()  # type: ignore[union-attr]
    await asyncio.sleep(0)
    assert task.done()
    assert task.cancelled()


async def test_an_inner_deadline_does_not_end_the_outer_one() -> None:
    deadlines = Deadlines()
    loop = asyncio.get_running_loop()
    with deadlines.at(loop.time() + 5):
        with pytest.raises(TimeoutError), deadlines.at(loop.time() + 0.02):
            await asyncio.sleep(5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await asyncio.sleep(5)
        await asyncio.sleep(0.01)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_fails_by_itself_fails_as_it_did() -> None:
    deadlines = Deadlines()

    async def fail() -> None:
        with deadlines.at(asyncio.get_running_loop().time() + 5):
            await asyncio.sleep(0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert not deadlines._running
    deadlines.close()


async def test_a_thousand_at_random_end_as_they_should() -> None:
    deadlines, dice = Deadlines(), random.Random(7)
    plans = [(dice.choice([0.02, 4.0]), dice.choice([0.0, 0.001, 0.1])) for _ in range(1000)]
    ended = await asyncio.gather(*(_take(deadlines, s, work=w) for s, w in plans))
    for (seconds, work), end in zip(plans, ended, strict=True):
        if seconds == 0.02 and work == 0.1:
            assert end == "too late"
        if work == 0.0 or seconds == 4.0:
            assert end == "done"
    assert not deadlines._running
