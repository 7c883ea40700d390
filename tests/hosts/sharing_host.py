"""A host that asks the same questions as its neighbours, under the same idempotency keys.

It prints a line for each: how it ended, and the id of the call that it was charged with.
"""

import asyncio
import random
import sys
from pathlib import Path

from tests.application.world import EVERYTHING, settings_in
from tollkeeper import Principal, open_tollkeeper, user
from tollkeeper.domain.errors import Conflict, InsufficientCredit

QUESTIONS = 80


async def main(folder: Path, store: str, redis: str) -> None:
    settings = settings_in(folder, store=store, cache=redis, rate_limiter=redis)
    principal = Principal(account="acme", scopes=EVERYTHING)
    order = random.sample(range(QUESTIONS), QUESTIONS)
    async with open_tollkeeper(settings) as tk:

        async def ask(number: int) -> str:
            try:
                answer = await tk.complete(
                    principal,
                    model="offline/slow",
                    messages=[user(f"question {number}")],
                    idempotency_key=f"question {number}",
                )
            except InsufficientCredit:
                return f"{number} refused -"
            except Conflict as error:  # a neighbour is asking it at this moment
                return f"{number} {error.code} -"
            assert answer.receipt is not None
            return f"{number} answered {answer.receipt.call_id}"

        for line in await asyncio.gather(*map(ask, order)):
            print(line)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
