"""A host that makes 500 completions at once and says which are done; it is killed meanwhile.

Each line is written by ``os.write`` after the answer came, so that what was said was said.
"""

import asyncio
import os
import sys
from pathlib import Path

from tests.application.world import open_world
from tollkeeper import user

CALLS = 500


async def main(folder: Path, stream: bool, store: str) -> None:
    async with open_world(folder, store=store, credit="100.00") as world:

        async def call(number: int) -> None:
            # The offline model waits a little with each word, so that calls are in every stage.
            model, prompt = "offline/slow", [user(f"call {number} of many")]
            if stream:
                deltas = world.tk.stream_completion(world.principal, model=model, messages=prompt)
                answer = await deltas.completion()
            else:
                answer = await world.tk.complete(world.principal, model=model, messages=prompt)
            assert answer.receipt is not None
            os.write(1, f"{answer.receipt.call_id}\n".encode())

        os.write(1, b"started\n")
        await asyncio.gather(*(call(number) for number in range(CALLS)))


if __name__ == "__main__":
    folder, mode, store = sys.argv[1:]
    asyncio.run(main(Path(folder), mode == "stream", store))
