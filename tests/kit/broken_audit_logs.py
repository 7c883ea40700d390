"""Audit logs with one fault each in the order of entries, for the audit log's suite to find."""

import asyncio
from datetime import UTC, datetime

from attrs import evolve

from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.domain.audit import AuditEntry, AuditHead


class AppendedFirst(MemoryAuditLog):
    """Puts an entry before all others."""

    async def append(self, entry: AuditEntry) -> None:
        await super().append(entry)
        entries = self.database.audit[entry.account]
        entries.insert(0, entries.pop())


class NeverEmpty(MemoryAuditLog):
    """Notes that somebody looked."""

    async def entries(
        self, *, account: str, after: str | None = None, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        if account not in self.database.audit:
            at = datetime(2001, 1, 1, tzinfo=UTC)
            await self.append(AuditEntry("looked", at, account, "log", "log.read", account))
        return await super().entries(account=account, after=after, limit=limit)


class PagesNumberedAnew(MemoryAuditLog):
    """Numbers what it shows, not what there is."""

    async def entries(
        self, *, account: str, after: str | None = None, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        page = await super().entries(account=account, after=after, limit=limit)
        return tuple(evolve(entry, sequence=n) for n, entry in enumerate(page, 1))


class HeadOfTheFirst(MemoryAuditLog):
    """Knows how many entries there are, and the MAC of the wrong one."""

    async def head(self, account: str) -> AuditHead:
        entries = self.database.audit.get(account)
        return AuditHead(len(entries), entries[0].mac) if entries else AuditHead()


class HeadOfAll(MemoryAuditLog):
    """Takes the last entry of anybody for the account's."""

    async def head(self, account: str) -> AuditHead:
        heads = [await super(HeadOfAll, self).head(each) for each in self.database.audit]
        return max(heads, key=lambda head: head.sequence, default=AuditHead())


class AccountsAsTheyCame(MemoryAuditLog):
    """Gives accounts in no order."""

    async def accounts(self, *, after: str | None = None, limit: int = 100) -> tuple[str, ...]:
        found = [each for each in self.database.audit if after is None or each > after]
        return tuple(found[:limit])


class AccountsForEachEntry(MemoryAuditLog):
    """Names an account once for each of its entries."""

    async def accounts(self, *, after: str | None = None, limit: int = 100) -> tuple[str, ...]:
        found = [
            account
            for account, entries in sorted(self.database.audit.items())
            for _ in entries
            if after is None or account > after
        ]
        return tuple(found[:limit])


class RacyAppend(MemoryAuditLog):
    """Looks for the next number, and writes a moment later."""

    async def append(self, entry: AuditEntry) -> None:
        placed = self.database.placed(entry)
        await asyncio.sleep(0)
        self.database.write(placed)


class NumbersWasted(MemoryAuditLog):
    """Takes a number, and writes the entry a moment later, if it comes to that."""

    async def append(self, entry: AuditEntry) -> None:
        placed = self.database.placed(entry)
        entries = self.database.audit[entry.account]
        entries.append(evolve(placed, id=f"{entry.id} begun"))
        await asyncio.sleep(0)
        entries[placed.sequence - 1 if placed.sequence else 0] = placed
