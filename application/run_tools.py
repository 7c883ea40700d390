"""Let a model call tools, and answer it, until it is done."""

import asyncio
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Unpack

from attrs import field, frozen

from tollkeeper.application.chat_options import ChatOptions
from tollkeeper.application.complete import Complete
from tollkeeper.domain.checks import checked_duration, checked_idempotency_key
from tollkeeper.domain.completions import Completion, FinishReason
from tollkeeper.domain.errors import InvalidRequest, TollkeeperError
from tollkeeper.domain.messages import Message, ToolCall, tool_result
from tollkeeper.domain.money import Money
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.tools import Tool

_LARGEST_RESULT = 1 << 20


@frozen
class ToolFunction:
    """A *tool*, and what runs when the model calls it.

    *run* gets the arguments as keywords, and returns text, or anything that JSON can express;
    it may be asynchronous. What it raises goes to the model, as the name of the exception: its
    text might hold what the model should not see. A :class:`TollkeeperError` is told in full.
    """

    tool: Tool
    run: Callable[..., Any] = field(repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.tool, Tool) or not callable(self.run):
            raise InvalidRequest("a ToolFunction is a Tool and a function", code="invalid_tool")


class RunEnd(StrEnum):
    """Why a run of tools ended."""

    ANSWERED = "answered"
    STEPS = "steps"
    """The model wanted more steps than allowed."""
    COST = "cost"
    """Another step could have cost more than was left."""


@frozen
class ToolRun:
    """What came of it: the last *answer*, every step's answer, and the whole conversation.

    *charged* is the sum of all receipts.
    """

    answer: Completion
    steps: tuple[Completion, ...]
    messages: tuple[Message, ...]
    ended: RunEnd
    charged: Money | None


@frozen
class RunTools:
    """Drive complete → call tools → complete; each step is a metered call of its own."""

    complete: Complete

    async def __call__(
        self,
        principal: Principal,
        *,
        model: str,
        messages: Sequence[Message],
        functions: Sequence[ToolFunction],
        most_steps: int = 10,
        tool_timeout: timedelta = timedelta(seconds=30),
        at_once: int = 8,
        **options: Unpack[ChatOptions],
    ) -> ToolRun:
        """Ask *model* until it answers without calling a tool, at most *most_steps* times.

        The tools of one step run at once, *at_once* at most, each for *tool_timeout* at most; what
        fails is told to the model. All steps together cost *most_cost* at most. An
        *idempotency_key* names the run: repeated under it, a run that broke off goes on after the
        steps that are answered and kept.

        Raises:
            DomainError, PortError: a step failed; the steps before it were charged.
        """
        table = _table(functions)
        if type(most_steps) is not int or most_steps < 1 or type(at_once) is not int or at_once < 1:
            raise InvalidRequest("most_steps and at_once are whole numbers, 1 or more")
        checked_duration(tool_timeout, field="tool_timeout", shortest=timedelta(milliseconds=1))
        if options.get("tools"):
            raise InvalidRequest("give the tools as functions", code="invalid_tool")
        key, most_cost = options.pop("idempotency_key", None), options.pop("most_cost", None)
        if key is not None:
            # The last step's is the longest: one that is too long must not end a run half-way.
            checked_idempotency_key(f"{checked_idempotency_key(key)}/{most_steps}")
        if not isinstance(messages, Sequence):
            raise InvalidRequest("messages are a list", code="invalid_message")
        said, steps = list(messages), list[Completion]()
        charged: Money | None = None
        places = asyncio.Semaphore(at_once)
        while True:
            left = most_cost
            if most_cost is not None and charged is not None:
                left = most_cost - charged
            step: ChatOptions = {
                **options,
                "tools": [function.tool for function in table.values()],
                "idempotency_key": None if key is None else f"{key}/{len(steps) + 1}",
                "most_cost": left,
            }
            try:
                answer = await self.complete(principal, model=model, messages=said, **step)
            except InvalidRequest as error:
                if error.code != "cost_over_limit" or not steps:
                    raise
                return ToolRun(steps[-1], tuple(steps), tuple(said), RunEnd.COST, charged)
            steps.append(answer)
            if answer.receipt is not None:
                paid = answer.receipt.charged
                charged = paid if charged is None else charged + paid
            said.append(answer.as_message())
            # Calls of an answer that was cut off may be cut off too.
            if not answer.tool_calls or answer.finish_reason is FinishReason.LENGTH:
                return ToolRun(answer, tuple(steps), tuple(said), RunEnd.ANSWERED, charged)
            # A tool that must be called is called once; else the model could never answer.
            options.pop("tool_choice", None)
            if len(steps) == most_steps:
                return ToolRun(answer, tuple(steps), tuple(said), RunEnd.STEPS, charged)
            said.extend(
                await asyncio.gather(
                    *(_answer(call, table, places, tool_timeout) for call in answer.tool_calls)
                )
            )


def _table(functions: Sequence[ToolFunction]) -> Mapping[str, ToolFunction]:
    if (
        not functions
        or not isinstance(functions, list | tuple)
        or not all(isinstance(each, ToolFunction) for each in functions)
    ):
        raise InvalidRequest("functions are ToolFunction objects", code="invalid_tool")
    table = {each.tool.name: each for each in functions}
    if len(table) != len(functions):
        raise InvalidRequest("two tools have the same name", code="invalid_tool")
    return table


async def _answer(
    call: ToolCall,
    table: Mapping[str, ToolFunction],
    places: asyncio.Semaphore,
    timeout: timedelta,
) -> Message:
    """Run the tool that the model calls; a failure is an answer too."""
    function = table.get(call.name)
    if function is None:
        known = ", ".join(table)
        text = f"there is no tool called {call.name}; there are {known}"
        return tool_result(call.id, text, is_error=True)
    try:
        arguments = call.parsed_arguments()
    except InvalidRequest as error:
        return tool_result(call.id, error.public_message, is_error=True)
    async with places:
        try:
            async with asyncio.timeout(timeout.total_seconds()) as limit:
                return tool_result(call.id, _written(await _ran(function.run, arguments)))
        except TollkeeperError as error:
            text = f"{call.name} failed: {error.public_message}"
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            text = f"{call.name} failed: {type(error).__name__}"  # of something of the tool's own
        except Exception as error:  # the tool's own failure is the model's to handle
            text = f"{call.name} failed: {type(error).__name__}"
            if isinstance(error, TimeoutError) and limit.expired():
                text = f"{call.name} did not finish within {timeout.total_seconds():g} s"
    return tool_result(call.id, text, is_error=True)


async def _ran(run: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    if inspect.iscoroutinefunction(run):
        return await run(**arguments)
    # A plain function may block; in a thread it stops neither the loop nor the other tools.
    found = await asyncio.to_thread(_plainly, run, arguments)
    return await found if inspect.isawaitable(found) else found


def _plainly(run: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    try:
        return run(**arguments)
    except StopIteration as error:
        # No future takes it: whoever waits for the thread would wait for ever.
        raise RuntimeError("a tool raised StopIteration") from error


def _written(value: Any) -> str:
    """Return what a tool returned as text.

    Raises:
        InvalidRequest: it cannot be told to a model.
    """
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError):
        raise InvalidRequest("its result cannot be written as JSON") from None
    if size > _LARGEST_RESULT:
        raise InvalidRequest(f"its result is larger than {_LARGEST_RESULT} bytes")
    return text
