"""What was acknowledged survives kill -9, and processes that share a file agree on it."""

import asyncio
from pathlib import Path

import pytest

from tests.adapters.sqlite_calls import CENT, LATER, books, grant, query
from tests.adapters.sqlite_processes import lines, run, worker
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.contracts.samples import usd
from tollkeeper.domain.ledger import EntryKind
from tollkeeper.domain.money import Money

pytestmark = pytest.mark.anyio
RELEASED = "SELECT id FROM holds WHERE state = 'released'"
OPEN_HOLDS = "SELECT coalesce(sum(amount), 0) FROM holds WHERE state = 'open'"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tollkeeper.db"


def told_until_killed(path: Path, *, after: int) -> list[list[str]]:
    """Let a worker charge until it has told *after* things, and kill it in the middle."""
    with worker("charge_on_and_on", path) as process:
        told = []
        for line in lines(process):
            told.append(line)
            if len(told) == after:
                process.kill()
    return told


async def test_what_was_acknowledged_survives_kill_9(path: Path) -> None:
    told: list[list[str]] = []
    for after in (150, 777, 2001):
        told += told_until_killed(path, after=after)
        async with SqliteStore(path) as store:
            posted, held = await books(store)
            assert query(path, OPEN_HOLDS) == [(held.nanos,)]
            entries = await store.ledger.entries(account="acme", currency="USD", limit=100_000)
            assert sum((entry.amount for entry in entries), usd(0)) == posted
            events = await store.usage_log.events(account="acme", limit=100_000)
            attempts = await store.attempt_log.attempts(account="acme", limit=100_000)

        seen = {entry.id for entry in entries}
        captures = [entry.hold_id for entry in entries if entry.kind is EntryKind.CAPTURE]
        assert len(seen) == len(entries)
        assert len(set(captures)) == len(captures)
        assert sorted(event.id for event in events) == sorted(f"of {hold}" for hold in captures)
        released = [str(hold) for (hold,) in query(path, RELEASED)]
        assert [attempt.id for attempt in attempts] == sorted(
            f"attempt of {hold}" for hold in [*captures, *released]
        )
        assert {line[-1] for line in told if line[0] in ("granted", "captured")} <= seen
        assert {line[1] for line in told if line[0] == "captured"} <= set(captures)
        assert {line[1] for line in told if line[0] == "released"} <= set(released)
        [(placed,)] = query(path, "SELECT json_group_array(id) FROM holds")
        assert all(line[1] in str(placed) for line in told if line[0] == "placed")
    assert sum(line[0] == "captured" for line in told) > 500
    assert sum(line[0] == "released" for line in told) > 300
    async with SqliteStore(path) as store:
        while await store.ledger.expire(at=LATER):
            pass
        assert await books(store) == (posted, usd(0))
        assert query(path, OPEN_HOLDS) == [(0,)]


async def test_two_processes_spend_exactly_the_credit(path: Path) -> None:
    async with SqliteStore(path) as store:
        await grant(store, Money(1500 * CENT.nanos, "USD"))
        with worker("spend_everything", path) as one, worker("spend_everything", path) as other:
            charged = []
            told = [lines(one), lines(other)]
            assert [next(each) for each in told] == [["ready"], ["ready"]]
            for process in (one, other):
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            for each in told:
                _, count = await asyncio.to_thread(next, each)
                charged.append(int(count))
            assert [one.wait(), other.wait()] == [0, 0]
        assert sum(charged) == 1500
        assert min(charged) > 0, "one of them never got in"
        assert await books(store) == (usd(0), usd(0))
        assert len(await store.usage_log.events(account="acme", limit=2000)) == 1500


async def test_store_opened_before_a_fork_is_refused_in_the_child(path: Path) -> None:
    (said, ended) = run("fork", path)
    assert " ".join(said).count("open it after the fork") == 2
    assert ended == ["child", "2", "parent", "2.00", "USD"]


async def test_commit_that_the_file_system_refuses_charges_nothing_twice(path: Path) -> None:
    (failed, ended) = run("run_out_of_space", path)
    assert failed == ["failed", "Unavailable", "True", "True"]
    _, charged, failures, posted, held, _ = ended
    assert int(failures) > 0
    assert int(charged) + int(failures) == int(posted)
    assert held == "0.00"
