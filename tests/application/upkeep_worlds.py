"""A process that looks after its keys, over stores and a broadcast that can be away."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from attrs import define, field

from tests.application.virtual_time import LoopClock
from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.broadcast import MemoryBroadcast
from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers
from tollkeeper.application.audit_trail import AuditTrail
from tollkeeper.application.key_upkeep import KeyUpkeep
from tollkeeper.application.key_uses import KeyUses
from tollkeeper.application.known_keys import KnownKeys, known_of
from tollkeeper.application.refusals import Refusals
from tollkeeper.contracts.samples import an_api_key
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry, AuditHead, AuditKey
from tollkeeper.domain.errors import TollkeeperError, Unavailable
from tollkeeper.domain.key_tokens import Pepper
from tollkeeper.ports.broadcast import BroadcastSubscription

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEY = an_api_key("acme", at=NOW)
PEPPER = Pepper(bytes(range(32)))


def away() -> TollkeeperError:
    return Unavailable("away", port="store", adapter="test")


@define(eq=False)
class Stores:
    """Keeps uses and an audit log; fails, or answers never, when it is told to."""

    uses: dict[str, datetime] = field(factory=dict)
    log: MemoryAuditLog = field(factory=MemoryAuditLog)
    fails: bool = False
    hangs: bool = False

    async def _reach(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise away()

    async def mark_used(self, uses: Mapping[str, datetime]) -> None:
        await self._reach()
        self.uses.update(uses)

    async def head(self, account: str) -> AuditHead:
        await self._reach()
        return await self.log.head(account)

    async def append(self, entry: AuditEntry) -> None:
        await self.log.append(entry)

    async def entries(self, account: str) -> tuple[AuditEntry, ...]:
        return await self.log.entries(account=account)


@define(eq=False)
class FailingBroadcast(MemoryBroadcast):
    """Refuses to be heard while *fails*."""

    fails: bool = False
    subscribed: int = 0

    def __attrs_post_init__(self) -> None:
        super().__init__()

    @asynccontextmanager
    async def subscribe(
        self, topic: str, *, backlog: int = 1000
    ) -> AsyncIterator[BroadcastSubscription]:
        if self.fails:
            raise away()
        async with super().subscribe(topic, backlog=backlog) as subscription:
            self.subscribed += 1
            yield subscription

    def miss(self, *, connected: bool) -> None:
        """Have a gap in all that is heard: messages may have been missed."""
        for each in [each for topic in self._subscriptions.values() for each in topic]:
            each.miss(connected=connected)


@define(eq=False)
class Upkeep:
    """One process: what it keeps, and what looks after it."""

    stores: Stores = field(factory=Stores)
    broadcast: FailingBroadcast = field(factory=FailingBroadcast)
    known: KnownKeys = field(init=False)
    uses: KeyUses = field(init=False)
    refusals: Refusals = field(init=False)

    def __attrs_post_init__(self) -> None:
        stores: Any = self.stores  # of two ports it has what is needed here
        self.known = KnownKeys(30.0, tick=LoopClock().monotonic)
        self.uses = KeyUses(stores)
        trail = AuditTrail(stores, LoopClock(), MemoryIdentifiers(), (AuditKey(bytes(range(32))),))
        self.refusals = Refusals(trail)

    def open(self) -> KeyUpkeep:
        return KeyUpkeep(self.known, self.broadcast, self.uses, self.refusals)

    def happens(self) -> None:
        """Let a key be used, and another be refused."""
        self.uses.note(KEY.id, at=NOW, now=LoopClock().monotonic())
        self.refusals.note("key_expired", account="acme", key_id="key-2")

    def knows(self, key: ApiKey = KEY) -> bool:
        return self.known.find(key.secrets[0].kid, now=LoopClock().monotonic()) is not None

    def learns(self, key: ApiKey = KEY) -> bool:
        known = known_of(key, key.secrets[0], PEPPER, at=NOW)
        return self.known.keep(known, self.known.ticket(), now=LoopClock().monotonic())


def now() -> float:
    return LoopClock().monotonic()
