"""``kill -9`` in the middle of 500 concurrent completions."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.application.world import open_world
from tests.hosts.crashing_host import CALLS
from tests.servers.postgres import migrated_database
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.domain.ledger import EntryKind
from tollkeeper.domain.meters import Meter

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]


def run_and_kill(
    folder: Path, mode: str, after: int, store: str, *, host: str = "tests.hosts.crashing_host"
) -> list[str]:
    """Run the *host*, kill it once it has said *after* calls, and return what it said."""
    process = subprocess.Popen(
        [sys.executable, "-m", host, str(folder), mode, store],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = []
    with process, process.stdout as lines:
        for line in lines:
            said.append(line.strip())
            if len(said) == after + 1:
                process.kill()
    assert process.returncode == -9
    assert said.pop(0) == "started"
    return said


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store that outlives the process."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.db"
    else:
        with migrated_database() as url:
            yield url


@pytest.mark.parametrize("after", [1, 60, 250])
@pytest.mark.parametrize("mode", ["whole", "stream"])
async def test_what_was_acknowledged_is_charged_once_and_nothing_twice(
    tmp_path: Path, store: str, mode: str, after: int
) -> None:
    acknowledged = run_and_kill(tmp_path, mode, after, store)
    assert after <= len(acknowledged) < CALLS

    clock = MemoryClock(SystemClock().now() + timedelta(hours=1))
    async with open_world(tmp_path, store=store, credit="100.00", clock=clock) as world:
        entries = await world.tk.list_entries(account="acme", limit=1000)
        captures = [entry for entry in entries if entry.kind is EntryKind.CAPTURE]
        held_for = [entry.hold_id for entry in captures]

        assert len(set(held_for)) == len(held_for)
        assert set(acknowledged) <= set(held_for)
        posted, held = await world.balance()
        assert held == "0.00"
        balance = sum(entry.amount.nanos for entry in entries)
        assert balance == entries[-1].balance_after.nanos
        assert posted == entries[-1].balance_after.amount
        report = await world.tk.report_usage(account="acme")
        requests = [total for total in report.totals if total.meter is Meter.REQUESTS]
        assert [total.quantity for total in requests] == [len(captures)]
