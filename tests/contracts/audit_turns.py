"""What every port promises of the audit entries that it writes with its changes."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from attrs import evolve

from tollkeeper.contracts.samples import an_audit_entry
from tollkeeper.domain.audit import AuditEntry, AuditHead
from tollkeeper.domain.errors import Conflict
from tollkeeper.ports.audit_log import AuditLog

Change = Callable[[AuditEntry], Awaitable[object]]
"""A change that is written with the entry that it is given."""


def an_entry_in_turn(account: str, *, at: datetime, sequence: int) -> AuditEntry:
    """Make an entry that has its place in the chain of *account*."""
    return evolve(
        an_audit_entry(account, at=at),
        sequence=sequence,
        mac=bytes([0, sequence % 256, *range(30)]),
        mac_key="0123456789ab",
    )


def exactly(entry: AuditEntry) -> tuple[AuditEntry, int | None, bytes, str]:
    """Return all of *entry*, also its place in the chain, which no comparison looks at."""
    return entry, entry.sequence, entry.mac, entry.mac_key


async def refused_out_of_turn(
    change: Change, audit_log: AuditLog, account: str, *, at: datetime
) -> None:
    """Try *change* with each sequence that is not the account's next; no entry may come of it."""
    before = await audit_log.entries(account=account)
    head = await audit_log.head(account)
    for sequence in (len(before), len(before) + 2, len(before) + 1000):
        entry = an_entry_in_turn(account, at=at, sequence=sequence)
        with pytest.raises(Conflict) as refused:
            await change(entry)
        assert refused.value.code == "audit_moved"
    assert await audit_log.entries(account=account) == before
    assert await audit_log.head(account) == head


async def kept_in_turn(change: Change, audit_log: AuditLog, account: str, *, at: datetime) -> None:
    """Make *change* with the account's next sequence: the entry is kept as it is given."""
    before = await audit_log.entries(account=account)
    entry = an_entry_in_turn(account, at=at, sequence=len(before) + 1)
    await change(entry)
    *former, last = await audit_log.entries(account=account)
    assert tuple(former) == before
    assert exactly(last) == exactly(entry)
    assert await audit_log.head(account) == AuditHead(len(before) + 1, entry.mac)


async def numbered(audit_log: AuditLog, account: str) -> tuple[AuditEntry, ...]:
    """Return the account's entries, which are numbered from 1 without gaps."""
    entries = await audit_log.entries(account=account)
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    return entries
