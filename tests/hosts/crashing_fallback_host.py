"""A host whose calls fail first and then fall back, many at once; it is killed meanwhile.

Each line is written by ``os.write`` after the answer came, so that what was said was said.
"""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from tests.application.asked_models import answer, ask, failing, streamed
from tests.application.world import open_world
from tollkeeper.adapters.memory.chat_model import Item, MemoryChatModel

CALLS = 400
OPTIONS = {
    "tries": 2,
    "retry_pause": timedelta(milliseconds=5),
    "breaker_failures": 1_000_000,
    "fallbacks": {"tokens/m": ("spare/m",)},
    "hedge_after": timedelta(milliseconds=60),
}


async def _a_while() -> None:
    await asyncio.sleep(0.02)


def models() -> dict[str, MemoryChatModel]:
    """One that may have done the work and fails, and one that answers; both take a while."""
    broken: list[Item] = [_a_while, *failing(ambiguous=True)]
    return {
        "tokens": MemoryChatModel(broken),
        "spare": MemoryChatModel([_a_while, *answer()]),
    }


async def main(folder: Path, stream: bool, store: str) -> None:
    async with open_world(
        folder,
        store=store,
        credit="100.00",
        options=OPTIONS,
        chat_models=models(),
    ) as world:

        async def call(number: int) -> None:
            await asyncio.sleep(number * 0.002)
            found = await (streamed(world).completion() if stream else ask(world))
            assert found.receipt is not None
            os.write(1, f"{found.receipt.call_id}\n".encode())

        os.write(1, b"started\n")
        await asyncio.gather(*(call(number) for number in range(CALLS)))


if __name__ == "__main__":
    folder, mode, store = sys.argv[1:]
    asyncio.run(main(Path(folder), mode == "stream", store))
