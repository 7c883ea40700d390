"""``kill -9`` in the middle of calls that retry, hedge and fall back."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.application.world import World, open_world
from tests.hosts.crashing_fallback_host import CALLS
from tests.hosts.test_crash import run_and_kill
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.domain.attempts import Attempt, Settlement
from tollkeeper.domain.ledger import EntryKind

pytestmark = pytest.mark.anyio
HOST = "tests.hosts.crashing_fallback_host"


async def _attempts(world: World) -> dict[str, list[Attempt]]:
    """Return all attempts by call, in the order of their numbers."""
    found: dict[str, list[Attempt]] = {}
    after = None
    while page := await world.tk.list_attempts(account="acme", limit=500, after=after):
        after = page[-1].id
        for attempt in page:
            found.setdefault(attempt.call_id, []).append(attempt)
    return {call: sorted(each, key=lambda a: a.number) for call, each in found.items()}


@pytest.mark.parametrize("after", [1, 40, 150])
@pytest.mark.parametrize("mode", ["whole", "stream"])
async def test_each_charge_stands_with_the_attempts_it_was_made_for(
    tmp_path: Path, mode: str, after: int
) -> None:
    store = f"sqlite:///{tmp_path}/ledger.db"
    acknowledged = run_and_kill(tmp_path, mode, after, store, host=HOST)
    assert after <= len(acknowledged) < CALLS

    clock = MemoryClock(SystemClock().now() + timedelta(hours=1))
    async with open_world(tmp_path, store=store, credit="100.00", clock=clock) as world:
        entries = await world.tk.list_entries(account="acme", limit=1000)
        captures = {each.hold_id: each for each in entries if each.kind is EntryKind.CAPTURE}
        attempts = await _attempts(world)

        assert len(captures) == sum(each.kind is EntryKind.CAPTURE for each in entries)
        assert set(acknowledged) <= captures.keys()
        # Nothing is charged without its attempts, and no attempt stands without its charge.
        assert attempts.keys() == captures.keys()
        for call, made in attempts.items():
            assert [each.number for each in made] == list(range(1, len(made) + 1))
            assert made[0].model == "tokens/m"
            charged = [each for each in made if each.settlement is Settlement.CHARGED]
            assert [each.cost for each in charged] == [-captures[call].amount]
            assert charged[0].model == "spare/m"
            assert all(each.settlement is not Settlement.NOTHING for each in made)
        posted, held = await world.balance()
        assert (posted, held) == (entries[-1].balance_after.amount, "0.00")
        paid = sum(each.amount.nanos for each in captures.values())
        assert 100 * 10**9 + paid == entries[-1].balance_after.nanos
