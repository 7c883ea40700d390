"""Several processes on one PostgreSQL and one Redis behave as one."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.application.world import open_world
from tests.hosts.sharing_host import QUESTIONS
from tests.servers.postgres import migrated_database
from tests.servers.redis_server import redis_server
from tollkeeper.domain.ledger import EntryKind

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
PROCESSES = 3
AFFORDED = 50


@pytest.fixture
def shared() -> Iterator[tuple[str, str]]:
    """The URLs of a database and a Redis."""
    with migrated_database() as database, redis_server() as redis:
        yield database, redis.url


def run_hosts(folder: Path, *urls: str) -> list[list[str]]:
    """Run the hosts side by side, and return what they said of each question."""
    command = [sys.executable, "-m", "tests.hosts.sharing_host"]
    running = []
    for number in range(PROCESSES):
        place = folder / str(number)
        place.mkdir()
        running.append(
            subprocess.Popen(
                [*command, str(place), *urls], cwd=ROOT, stdout=subprocess.PIPE, text=True
            )
        )
    said = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES
    return [line.split() for lines in said for line in lines.splitlines()]


async def test_they_spend_exactly_the_credit_and_pay_each_question_once(
    tmp_path: Path, shared: tuple[str, str]
) -> None:
    async with open_world(tmp_path, store=shared[0], credit=f"{AFFORDED / 100:.2f}") as world:
        said = run_hosts(tmp_path, *shared)
        assert len(said) == PROCESSES * QUESTIONS

        entries = await world.tk.list_entries(account="acme", limit=1000)
        captures = [entry for entry in entries if entry.kind is EntryKind.CAPTURE]
        assert len(captures) == AFFORDED
        assert await world.balance() == ("0.00", "0.00")

        charged: dict[str, set[str]] = {}
        for number, how, call in said:
            assert how in {"answered", "refused", "call_in_progress", "already_charged"}, how
            if how == "answered":
                charged.setdefault(number, set()).add(call)
        # A question that two processes have an answer to was one call, paid by one of them.
        assert all(len(calls) == 1 for calls in charged.values())
        assert {call for calls in charged.values() for call in calls} == {
            entry.hold_id for entry in captures
        }
