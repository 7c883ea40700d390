"""Bounds in time that are set only for what waits."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.application.virtual_time import in_virtual_time
from tollkeeper.application.bounded import bounded


async def _wait(seconds: float, *, then: str = "done") -> str:
    await asyncio.sleep(seconds)
    return then


async def _at_once() -> str:
    return "done"


@in_virtual_time
async def test_work_that_does_not_wait_may_have_no_time_at_all() -> None:
    assert await bounded(_at_once(), within=0.0) == "done"


@in_virtual_time
async def test_work_that_waits_is_ended_when_its_time_is_up() -> None:
    loop = asyncio.get_running_loop()
    assert await bounded(_wait(9.0), within=10.0) == "done"
    began = loop.time()
    with pytest.raises(TimeoutError):
        await bounded(_wait(11.0), within=10.0)
    assert loop.time() - began == pytest.approx(10.0)


@in_virtual_time
async def test_work_may_wait_many_times_and_catch_what_comes() -> None:
    async def work() -> list[str]:
        said = []
        for seconds in (1.0, 0.0, 2.0):
            try:
                said.append(await asyncio.wait_for(_wait(seconds), 1.5))
            except TimeoutError:
                said.append("late")
        return said

    assert await bounded(work(), within=10.0) == ["done", "done", "late"]


async def _failing(*, after: float | None) -> str:
    if after is not None:
        await asyncio.sleep(after)
    raise LookupError("nothing here")


@pytest.mark.parametrize("after", [None, 1.0], ids=["at-once", "later"])
@in_virtual_time
async def test_a_failure_is_the_callers(after: float | None) -> None:
    with pytest.raises(LookupError, match="nothing here"):
        await bounded(_failing(after=after), within=10.0)


@in_virtual_time
async def test_a_cancellation_reaches_the_work_and_leaves_the_task_cancelled() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            seen.append("told")

    task = asyncio.ensure_future(bounded(work(), within=10.0))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["told"]


@in_virtual_time
async def test_work_that_is_dropped_halfway_is_closed() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            seen.append("closed")

    begun: Coroutine[Any, Any, None] = bounded(work(), within=10.0)
    begun.send(None)
    begun.close()
    assert seen == ["closed"]
