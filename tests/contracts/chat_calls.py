"""How the suite of chat models asks and reads."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completion_builder import CompletionBuilder
from tollkeeper.domain.completions import Completion, Delta
from tollkeeper.domain.messages import Message, user
from tollkeeper.domain.tools import Tool

WEATHER = Tool(
    name="get_weather",
    description="Tells the weather in a city.",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
)
LONG = "Say these words again: " + " ".join(f"word{number}" for number in range(60))


def asking(model: str, *said: Message | str, max_tokens: int = 1_024) -> ChatRequest:
    """Ask *said*, or for a hello."""
    messages = [part if isinstance(part, Message) else user(part) for part in said]
    return ChatRequest(
        model=model, messages=tuple(messages or [user("Say hello.")]), max_tokens=max_tokens
    )


async def within(patience: timedelta, work: Any) -> Any:
    """Await *work*; one that hangs fails the test instead of stopping the run."""
    async with asyncio.timeout(patience.total_seconds()):
        return await work


async def all_of(stream: AsyncIterator[Delta]) -> list[Delta]:
    """Read *stream* to its end."""
    return [delta async for delta in stream]


async def next_of(patience: timedelta, stream: AsyncIterator[Delta]) -> Delta | None:
    """Return the next delta; StopAsyncIteration cannot leave a task."""
    try:
        delta: Delta = await within(patience, anext(stream))
    except StopAsyncIteration:
        return None
    return delta


async def closed(stream: AsyncIterator[Delta]) -> None:
    """Close *stream* as its reader may at any time."""
    close = getattr(stream, "aclose", None)
    assert close is not None, "a stream can be closed: it has aclose(), as async generators have"
    await close()


def added_up(deltas: list[Delta]) -> Completion:
    """Add *deltas* up to the answer they make."""
    builder = CompletionBuilder()
    for delta in deltas:
        builder.add(delta)
    return builder.build()


def check_pieces(deltas: list[Delta]) -> None:
    """See that the pieces of each tool call say once what it is, and count from 0."""
    pieces = [piece for delta in deltas for piece in delta.tool_calls]
    numbers = {piece.index for piece in pieces}
    assert numbers == set(range(len(numbers)))
    for number in numbers:
        own = [piece for piece in pieces if piece.index == number]
        assert len([piece for piece in own if piece.id]) == 1
        assert len([piece for piece in own if piece.name]) == 1
