"""A process of its own that charges an account on PostgreSQL, for tests that need several.

``python -m tests.adapters.postgres_worker URL KEYS CALLERS SEED``: says ``ready``, waits for a
line, then lets CALLERS charge each of the keys ``0 … KEYS - 1``, each key twice, in an order of
its own; and says for each key what came of it, then ``done``.
"""

import asyncio
import random
import sys

from tests.adapters.postgres_charges import CENT, capture, place
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.domain.errors import InsufficientCredit


async def main(url: str, keys: int, callers: int, seed: int) -> None:
    """Charge, and say what came of it."""
    async with PostgresStore.from_url(url) as store:
        ledger = store.ledger
        await ledger.balance(account="acme", currency="USD")
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        todo = [*range(keys), *range(keys)]
        random.Random(seed).shuffle(todo)
        told: list[tuple[int, str]] = []

        async def caller() -> None:
            while todo:
                key = todo.pop()
                try:
                    hold = await place(ledger, f"key {key}", CENT)
                    entry = await capture(ledger, hold)
                except InsufficientCredit:
                    told.append((key, "refused"))
                else:
                    told.append((key, entry.id))

        await asyncio.gather(*(caller() for _ in range(callers)))
    for key, outcome in told:
        print(key, outcome)
    print("done", ledger.statements, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
