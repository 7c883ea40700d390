"""Several streams of one question, to be read at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.application.asked_models import USAGE, streamed
from tests.application.virtual_time import LoopClock
from tests.application.world import World, open_world
from tollkeeper import Completion, Delta, FinishReason
from tollkeeper.adapters.memory.chat_model import Item, MemoryChatModel
from tollkeeper.domain.meters import Meter


def slowly(seconds: float = 1.0) -> Callable[[], Awaitable[object]]:
    """Let that many seconds go by."""

    async def wait() -> None:
        await asyncio.sleep(seconds)

    return wait


def words(seconds: float = 1.0) -> list[Item]:
    """Say three words, each after so many seconds."""
    said: list[Item] = []
    for word in ("one ", "two ", "three"):
        said += (slowly(seconds), Delta(text=word))
    return [*said, Delta(finish_reason=FinishReason.STOP, usage=USAGE)]


def open_keeping(folder: Path, model: MemoryChatModel, **more: Any) -> Any:
    """Open a facade that keeps answers, and tries once."""
    options = {"response_ttl": timedelta(hours=1), "tries": 1, **more.pop("options", {})}
    return open_world(
        folder, options=options, clock=LoopClock(), chat_models={"tokens": model}, **more
    )


async def read(world: World, after: float = 0.0, **options: Any) -> Completion:
    """Stream a greeting to its end, *after* so many seconds."""
    if after:
        await asyncio.sleep(after)
    return await streamed(world, **options).completion()


def begun(*reads: Coroutine[Any, Any, Any]) -> "list[asyncio.Task[Any]]":
    """Begin all of *reads* in this order."""
    return [asyncio.ensure_future(each) for each in reads]


async def ended(*reads: Awaitable[Any]) -> list[Any]:
    """Return what came of each: an answer, or an error."""
    return await asyncio.gather(*reads, return_exceptions=True)


def flights(world: World) -> int:
    """Count the questions that somebody leads."""
    return len(world.tk.stream_completion.responses.flights)


async def hits(world: World) -> int:
    """Count the answers that were given again."""
    report = await world.tk.report_usage(account=world.principal.account)
    return sum(each.quantity for each in report.totals if each.meter is Meter.CACHED_ANSWERS)
