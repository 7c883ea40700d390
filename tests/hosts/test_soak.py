"""Long runs: killed again and again on one file, and thousands of ledger histories."""

import random
from datetime import timedelta
from pathlib import Path

import pytest

from tests.adapters.test_sqlite_ledger import open_ledger
from tests.application.world import open_world
from tests.hosts.crashing_host import CALLS
from tests.hosts.test_crash import run_and_kill
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.contracts.ledger_machine import ledger_machine
from tollkeeper.domain.ledger import EntryKind

pytestmark = pytest.mark.soak


@pytest.mark.anyio
async def test_ten_crashes_in_a_row_lose_and_double_nothing(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/ledger.db"
    chance = random.Random(2026)
    acknowledged: list[str] = []
    for round_ in range(10):
        mode = "stream" if round_ % 2 else "whole"
        acknowledged += run_and_kill(tmp_path, mode, chance.randrange(1, CALLS // 2), store)

    clock = MemoryClock(SystemClock().now() + timedelta(hours=1))
    async with open_world(tmp_path, store=store, credit="100.00", clock=clock) as world:
        captured: list[str | None] = []
        total = after = 0
        while page := await world.tk.list_entries(account="acme", after=after, limit=1000):
            captured += [entry.hold_id for entry in page if entry.kind is EntryKind.CAPTURE]
            total += sum(entry.amount.nanos for entry in page)
            after = page[-1].sequence
        assert len(set(captured)) == len(captured)
        assert set(acknowledged) <= set(captured)
        report = await world.tk.report_usage(account="acme")
        assert report.balances[0].posted.nanos == total
        assert report.balances[0].held.nanos == 0


TestLongLedgerHistories = ledger_machine(open_ledger, examples=50, steps=60).TestCase
