"""Changes of one account are chained one behind the other, whoever makes them at the same time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.adapters.system.identifiers import SystemIdentifiers
from tollkeeper.application.audit_trail import AuditTrail
from tollkeeper.domain.audit import AuditEntry, AuditHead, AuditKey, ChainState, follow
from tollkeeper.domain.errors import Conflict, NotFound, Unavailable
from tollkeeper.ports.audit_log import AuditLog

pytestmark = pytest.mark.anyio
KEY, FORMER = AuditKey(bytes(range(32))), AuditKey(bytes(range(1, 33)))
TOLD: dict[str, Any] = {"actor": "host", "action": "key.issued", "subject": "key-1"}


@define(eq=False)
class SlowLog:
    """Answers a moment later, as a log does that is somewhere else; counts what it is asked."""

    inner: AuditLog = field(factory=MemoryAuditLog)
    heads: int = 0
    refused: int = 0

    async def head(self, account: str) -> AuditHead:
        self.heads += 1
        head = await self.inner.head(account)
        await asyncio.sleep(0)
        return head

    async def append(self, entry: AuditEntry) -> None:
        try:
            await self.inner.append(entry)
        except Conflict:
            self.refused += 1
            raise

    async def entries(
        self, *, account: str, after: str | None = None, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        return await self.inner.entries(account=account, after=after, limit=limit)

    async def accounts(self, *, after: str | None = None, limit: int = 100) -> tuple[str, ...]:
        return await self.inner.accounts(after=after, limit=limit)


@pytest.fixture(params=["memory", "sqlite"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SlowLog]:
    if request.param == "memory":
        yield SlowLog()
        return
    async with SqliteStore(tmp_path / "tollkeeper.db") as store:
        yield SlowLog(store.audit_log)


def trail_on(log: AuditLog, *keys: AuditKey) -> AuditTrail:
    return AuditTrail(log, MemoryClock(), SystemIdentifiers(), keys or (KEY, FORMER))


async def state_of(log: AuditLog, account: str = "acme") -> ChainState:
    entries = await log.entries(account=account)
    keys = {each.id: each for each in (KEY, FORMER)}
    return follow(ChainState(), entries, keys)


async def test_fifty_changes_at_once_make_a_chain_without_gap(log: SlowLog) -> None:
    """Those of one process do not even outrun each other (T24)."""
    trail = trail_on(log)
    changes = [trail.record(log.append, account="acme", **TOLD) for _ in range(50)]
    await asyncio.gather(*changes)
    state = await state_of(log)
    assert (state.fault, state.entries, state.head.sequence) == (None, 50, 50)
    assert (log.heads, log.refused) == (50, 0)


async def test_two_processes_at_once_make_one_chain(log: SlowLog) -> None:
    """Whoever was outrun comes behind, and no change is lost or made twice (T24)."""
    one, two = trail_on(log), trail_on(log)
    made: list[str] = []

    async def change(entry: AuditEntry) -> str:
        await log.append(entry)
        made.append(entry.id)
        return entry.id

    answers = await asyncio.gather(
        *(trail.record(change, account="acme", **TOLD) for _ in range(25) for trail in (one, two))
    )
    entries = await log.entries(account="acme")
    assert (await state_of(log)).fault is None
    assert [entry.id for entry in entries] == made
    assert sorted(answers) == sorted(made)
    assert len(set(made)) == 50
    assert log.refused > 0


async def test_accounts_have_chains_and_turns_of_their_own(log: SlowLog) -> None:
    trail, gate = trail_on(log), asyncio.Event()

    async def waits(entry: AuditEntry) -> None:
        await gate.wait()
        await log.append(entry)

    first = asyncio.ensure_future(trail.record(waits, account="acme", **TOLD))
    await asyncio.wait_for(trail.record(log.append, account="other", **TOLD), 5)
    assert not first.done()
    gate.set()
    await first
    for account in ("acme", "other"):
        assert (await state_of(log, account)).head.sequence == 1


async def test_an_entry_tells_what_was_done_under_the_current_key() -> None:
    log, details = SlowLog(), {"name": "ci"}
    clock = MemoryClock()
    trail = AuditTrail(log, clock, MemoryIdentifiers(), (KEY, FORMER))
    await trail.record(log.append, account="acme", **TOLD, details=details)
    details["name"] = "changed later"
    (entry,) = await log.entries(account="acme")
    assert (entry.actor, entry.action, entry.subject) == ("host", "key.issued", "key-1")
    assert (entry.at, entry.account, entry.details) == (clock.now(), "acme", {"name": "ci"})
    assert (entry.sequence, entry.mac_key, len(entry.mac)) == (1, KEY.id, 32)


async def test_after_a_rotation_the_chain_goes_on_under_the_new_key() -> None:
    log = SlowLog()
    for trail in (trail_on(log, FORMER), trail_on(log), trail_on(log)):
        await trail.record(log.append, account="acme", **TOLD)
    entries = await log.entries(account="acme")
    assert [entry.mac_key for entry in entries] == [FORMER.id, KEY.id, KEY.id]
    assert (await state_of(log)).fault is None


@pytest.mark.parametrize(
    "error",
    [
        Conflict("someone was faster", code="key_changed"),
        Conflict("an id is taken"),
        NotFound("no such key"),
        Unavailable("away", port="store", adapter="test"),
        asyncio.CancelledError(),
    ],
    ids=repr,
)
async def test_what_else_goes_wrong_goes_out_and_is_not_tried_again(error: BaseException) -> None:
    log = SlowLog()
    trail, tries = trail_on(log), 0

    async def fails(_: AuditEntry) -> None:
        nonlocal tries
        tries += 1
        raise error

    with pytest.raises(type(error)) as raised:
        await trail.record(fails, account="acme", **TOLD)
    assert raised.value is error
    assert (tries, log.heads) == (1, 1)
    await asyncio.wait_for(trail.record(log.append, account="acme", **TOLD), 5)  # its turn ended


async def test_who_is_outrun_all_the_time_gives_up_unchanged() -> None:
    log = SlowLog()
    trail, changed = trail_on(log), 0

    async def outrun(entry: AuditEntry) -> None:
        nonlocal changed
        await trail_on(log.inner).record(log.inner.append, account="acme", **TOLD)
        await log.append(entry)
        changed += 1

    with pytest.raises(Conflict) as refused:
        await trail.record(outrun, account="acme", **TOLD)
    assert refused.value.code == "audit_moved"
    assert (log.refused, changed) == (50, 0)
    assert (await state_of(log)).head.sequence == 50


@pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5])
async def test_who_leaves_while_waiting_holds_up_nobody(ticks: int) -> None:
    log = SlowLog()
    trail = trail_on(log)
    tasks = [
        asyncio.ensure_future(trail.record(log.append, account="acme", **TOLD)) for _ in range(20)
    ]
    for _ in range(ticks):
        await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    ends = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert {type(end) for end in ends} <= {type(None), asyncio.CancelledError}
    state = await state_of(log)
    assert (state.fault, state.entries) == (None, ends.count(None))
    assert ends.count(None) >= 13


async def test_turns_are_not_kept() -> None:
    """A process that serves many accounts keeps nothing of them."""
    log = SlowLog()
    trail = trail_on(log)
    changes = [trail.record(log.append, account=f"a{n}", **TOLD) for n in range(200)]
    await asyncio.gather(*changes)
    assert len(trail._turns) == 0
