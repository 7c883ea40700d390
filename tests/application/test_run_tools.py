"""RunTools: complete, call the tools, complete again, until the model is done."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.asked_models import HELLO, USAGE, answer, failing
from tests.application.virtual_time import LoopClock, in_virtual_time
from tests.application.world import World, open_world
from tollkeeper import Delta, FinishReason, Money, Tool, ToolCallDelta
from tollkeeper.adapters.memory.chat_model import Item, MemoryChatModel
from tollkeeper.application.run_tools import RunEnd, ToolFunction, ToolRun
from tollkeeper.domain.errors import (
    InvalidRequest,
    NotFound,
    Rejected,
    Unavailable,
)
from tollkeeper.domain.messages import Role

SECOND = timedelta(seconds=1)


def calls(*named: tuple[str, str]) -> list[Item]:
    """Call tools by name, with arguments."""
    pieces = tuple(
        ToolCallDelta(place, f"call-{place}", name, arguments)
        for place, (name, arguments) in enumerate(named)
    )
    return [
        Delta(tool_calls=pieces),
        Delta(finish_reason=FinishReason.TOOL_CALLS, usage=USAGE),
    ]


def function(name: str, run: Callable[..., Any]) -> ToolFunction:
    return ToolFunction(Tool(name, "does something"), run)


async def weather(city: str = "Oslo") -> dict[str, str]:
    return {"city": city, "sky": "clear"}


async def run_tools(world: World, *functions: ToolFunction, **options: Any) -> ToolRun:
    given = functions or (function("weather", weather),)
    options = {"messages": HELLO, "functions": given, **options}
    return await world.tk.run_tools(world.principal, model="tokens/m", **options)


def told(found: ToolRun) -> list[tuple[str, bool]]:
    """What the tools' messages say, and whether as errors."""
    return [(each.text, each.is_error) for each in found.messages if each.role is Role.TOOL]


@in_virtual_time
async def test_the_model_calls_and_is_answered_until_it_is_done(tmp_path: Path) -> None:
    model = MemoryChatModel(
        calls(("weather", '{"city": "Oslo"}')), calls(("weather", "")), answer("It is clear.")
    )
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        found = await run_tools(world)
        assert (found.ended, found.answer.text, len(found.steps)) == (
            RunEnd.ANSWERED,
            "It is clear.",
            3,
        )
        assert told(found) == [('{"city": "Oslo", "sky": "clear"}', False)] * 2
        assert found.charged == Money.of("0.00006", "USD")
        assert await world.balance() == ("0.99994", "0.00")
        assert model.requests[-1].messages == found.messages[:-1]


@in_virtual_time
async def test_the_tools_of_one_step_run_at_once_and_each_in_its_time(tmp_path: Path) -> None:
    most = running = 0

    async def slow(seconds: float) -> str:
        nonlocal most, running
        running, most = running + 1, max(most, running + 1)
        try:
            await asyncio.sleep(seconds)
        finally:
            running -= 1
        return f"{seconds} s"

    named = [("slow", f'{{"seconds": {seconds}}}') for seconds in (3, 1, 99, 2)]
    model = MemoryChatModel(calls(*named), answer())
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        began = asyncio.get_running_loop().time()
        found = await run_tools(world, function("slow", slow), tool_timeout=SECOND * 10, at_once=3)
        assert asyncio.get_running_loop().time() - began == 10
        assert most == 3
        assert told(found) == [
            ("3 s", False),
            ("1 s", False),
            ("slow did not finish within 10 s", True),
            ("2 s", False),
        ]


class _Hidden(Exception):
    pass


def _fails(error: BaseException) -> Callable[..., Any]:
    async def run(**_: Any) -> None:
        raise error

    return run


@in_virtual_time
@pytest.mark.parametrize(
    ("called", "run", "said"),
    [
        (("other", "{}"), weather, "there is no tool called other; there are tool"),
        (("tool", "{"), weather, "the model called tool with arguments that are no JSON object"),
        (("tool", "[1]"), weather, "the model called tool with arguments that are no JSON object"),
        (("tool", '{"town": 1}'), weather, "tool failed: TypeError"),
        (("tool", ""), _fails(_Hidden("sk-secret")), "tool failed: _Hidden"),
        (("tool", ""), _fails(TimeoutError("sk-secret")), "tool failed: TimeoutError"),
        (("tool", ""), _fails(NotFound("no such city")), "tool failed: no such city"),
        (("tool", ""), _fails(asyncio.CancelledError()), "tool failed: CancelledError"),
        (("tool", ""), lambda: next(iter(())), "tool failed: RuntimeError"),
        (("tool", ""), lambda: object(), "tool failed: its result cannot be written as JSON"),
        (("tool", ""), lambda: "x" * (1 << 21), "tool failed: its result is larger than"),
    ],
    ids=[
        *("unknown", "cut", "list", "names", "hidden", "timeout", "ours", "cancelled", "empty"),
        *("object", "large"),
    ],
)
async def test_what_goes_wrong_is_told_to_the_model_and_no_more_than_is_safe(
    tmp_path: Path, called: tuple[str, str], run: Callable[..., Any], said: str
) -> None:
    model = MemoryChatModel(calls(called), answer("Sorry."))
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        found = await run_tools(world, function("tool", run))
        [(text, is_error)] = told(found)
        assert is_error
        assert text.startswith(said)
        assert "sk-secret" not in text
        assert found.answer.text == "Sorry."


@pytest.mark.anyio
async def test_a_plain_function_runs_in_a_thread_and_what_it_returns_may_be_awaited(
    tmp_path: Path,
) -> None:
    threads: list[int] = []

    def plain() -> str:
        threads.append(threading.get_ident())
        time.sleep(0.01)
        return "plain"

    model = MemoryChatModel(calls(("plain", ""), ("later", "")), answer())
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        functions = (function("plain", plain), function("later", lambda: weather()))
        found = await run_tools(world, *functions, tool_timeout=timedelta(hours=1))
        assert [text for text, _ in told(found)] == ["plain", '{"city": "Oslo", "sky": "clear"}']
        assert threads != [threading.get_ident()]


@in_virtual_time
async def test_the_steps_are_bounded(tmp_path: Path) -> None:
    model = MemoryChatModel(calls(("weather", "")))
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        found = await run_tools(world, most_steps=3)
        assert (found.ended, len(found.steps)) == (RunEnd.STEPS, 3)
        assert len(told(found)) == 2


@in_virtual_time
async def test_the_cost_of_all_steps_is_bounded(tmp_path: Path) -> None:
    model = MemoryChatModel(calls(("weather", "")))
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        most = Money.of("0.0025", "USD")
        found = await run_tools(world, most_cost=most, most_steps=1000, max_tokens=10)
        assert found.ended is RunEnd.COST
        assert found.charged is not None
        assert found.charged <= most
        assert len(found.steps) > 1
        with pytest.raises(InvalidRequest) as caught:
            await run_tools(world, most_cost=Money.of("0.000001", "USD"))
        assert caught.value.code == "cost_over_limit"


@in_virtual_time
async def test_a_tool_that_must_be_called_is_demanded_once(tmp_path: Path) -> None:
    model = MemoryChatModel(calls(("weather", "")), answer())
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        await run_tools(world, tool_choice="required")
        assert [each.tool_choice for each in model.requests] == ["required", "auto"]


@in_virtual_time
async def test_a_run_that_broke_off_goes_on_where_it_stood(tmp_path: Path) -> None:
    model = MemoryChatModel(calls(("weather", "")), failing(Rejected, status=400), answer("Clear."))
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        with pytest.raises(Rejected):
            await run_tools(world, idempotency_key="run-1")
        found = await run_tools(world, idempotency_key="run-1")
        assert found.answer.text == "Clear."
        assert len(model.requests) == 3
        again = await run_tools(world, idempotency_key="run-1")
        assert again.steps == found.steps
        assert len(model.requests) == 3
        assert await world.balance() == ("0.99996", "0.00")


@in_virtual_time
async def test_a_step_that_fails_ends_the_run_and_the_steps_before_stay_charged(
    tmp_path: Path,
) -> None:
    model = MemoryChatModel(calls(("weather", "")), failing())
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        with pytest.raises(Unavailable):
            await run_tools(world)
        assert await world.balance() == ("0.99998", "0.00")


@in_virtual_time
async def test_a_caller_who_leaves_stops_the_tools(tmp_path: Path) -> None:
    stopped: list[bool] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    model = MemoryChatModel(calls(("endless", ""), ("endless", "")))
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        run = asyncio.ensure_future(run_tools(world, function("endless", endless)))
        await asyncio.sleep(1)
        run.cancel()
        await asyncio.wait([run])
        assert stopped == [True, True]


@in_virtual_time
@pytest.mark.parametrize(
    "wrong",
    [
        {"functions": []},
        {"functions": [weather]},
        {"functions": [function("a", weather), function("a", weather)]},
        {"most_steps": 0},
        {"at_once": True},
        {"tool_timeout": 5},
        {"tools": [Tool("b")]},
        {"messages": None},
        {"messages": 5},
        {"messages": []},
        {"most_cost": 5},
        {"idempotency_key": ""},
        {"idempotency_key": 5},
        {"idempotency_key": "x" * 253},  # the tenth step's would be too long
    ],
    ids=lambda wrong: str(next(iter(wrong.items())))[:40],
)
async def test_bad_input_is_refused_before_anything_is_asked(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    model = MemoryChatModel(answer())
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        with pytest.raises(InvalidRequest):
            await run_tools(world, **wrong)
        assert model.requests == []
        with pytest.raises(InvalidRequest):
            ToolFunction("weather", weather)  # type: ignore[arg-type]
