"""200 callers at once, credit for 50."""

import asyncio
from pathlib import Path

import pytest

from tests.application.world import World, open_world
from tollkeeper import Completion, user
from tollkeeper.domain.errors import InsufficientCredit

pytestmark = pytest.mark.anyio


async def _complete(world: World, number: int, *, stream: bool) -> Completion:
    prompt = [user(f"caller number {number}")]
    if stream:
        deltas = world.tk.stream_completion(world.principal, model="offline/echo", messages=prompt)
        return await deltas.completion()
    return await world.tk.complete(world.principal, model="offline/echo", messages=prompt)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("scheme", ["memory", "sqlite"])
async def test_exactly_fifty_of_two_hundred_are_charged(
    tmp_path: Path, scheme: str, stream: bool
) -> None:
    store = "memory://" if scheme == "memory" else f"sqlite:///{tmp_path}/ledger.db"
    async with open_world(tmp_path, store=store, credit="0.50") as world:
        calls = [_complete(world, number, stream=stream) for number in range(200)]
        results = await asyncio.gather(*calls, return_exceptions=True)

        answered = [result for result in results if isinstance(result, Completion)]
        refused = [result for result in results if isinstance(result, InsufficientCredit)]
        assert (len(answered), len(refused)) == (50, 150)
        assert all(
            answer.receipt and answer.receipt.charged.amount == "0.01" for answer in answered
        )
        assert await world.balance() == ("0.00", "0.00")
        report = await world.tk.report_usage(account="acme")
        requests = [total for total in report.totals if total.meter == "requests"]
        assert [total.quantity for total in requests] == [50]
        entries = await world.tk.list_entries(account="acme")
        assert len(entries) == 51
        assert sum(entry.amount.nanos for entry in entries) == 0
