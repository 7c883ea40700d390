"""Refused callers are counted exactly, and a flood of them fills no disk."""

from collections import Counter
from collections.abc import Callable
from itertools import count

import pytest
from attrs import define, field

from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers
from tollkeeper.application.audit_trail import AuditTrail
from tollkeeper.application.refusals import TAMPERED, Refusals
from tollkeeper.domain.audit import AuditEntry, AuditHead, AuditKey
from tollkeeper.domain.errors import Unavailable

pytestmark = pytest.mark.anyio
KEY = AuditKey(bytes(range(32)))
EVERYONE = "*"


@define(eq=False)
class Log:
    """An audit log that is away for some accounts, or for all."""

    inner: MemoryAuditLog = field(factory=MemoryAuditLog)
    away: set[str] = field(factory=set)
    all_away: bool = False
    meanwhile: Callable[[], None] | None = None
    """Done once, while the log is asked."""

    async def head(self, account: str) -> AuditHead:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        if self.all_away or account in self.away:
            raise Unavailable("away", port="store", adapter="test")
        return await self.inner.head(account)

    async def append(self, entry: AuditEntry) -> None:
        await self.inner.append(entry)

    async def entries(
        self, *, account: str, after: str | None = None, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        return await self.inner.entries(account=account, after=after, limit=limit)

    async def accounts(self, *, after: str | None = None, limit: int = 100) -> tuple[str, ...]:
        return await self.inner.accounts(after=after, limit=limit)

    async def told(self) -> dict[str, list[AuditEntry]]:
        return {who: [*await self.entries(account=who)] for who in await self.accounts(limit=1000)}

    async def counts(self) -> Counter[str]:
        """Sum up what all entries tell, by reason."""
        counts: Counter[str] = Counter()
        for entries in (await self.told()).values():
            for entry in entries:
                for name, number in entry.details.items():
                    counts[name.partition(" ")[0]] += int(number)
        return counts


def refusals_in(log: Log) -> Refusals:
    return Refusals(AuditTrail(log, MemoryClock(), MemoryIdentifiers(), (KEY,)))


async def test_a_flood_of_unknown_callers_is_one_entry_with_exact_counts() -> None:
    """100,000 bad keys cost one row, and each of them is counted (T25)."""
    log = Log()
    refusals = refusals_in(log)
    for number in range(100_000):
        refusals.note("unknown" if number % 4 else "malformed")
    await refusals.write()
    await refusals.write()
    told = await log.told()
    assert list(told) == [EVERYONE]
    (entry,) = told[EVERYONE]
    assert (entry.actor, entry.action, entry.subject) == (
        *("unauthenticated", "key.refused", "api_keys"),
    )
    assert entry.details == {"malformed": "25000", "unknown": "75000"}
    assert refusals.totals == {"malformed": 25_000, "unknown": 75_000}


async def test_what_came_since_is_what_the_next_entry_tells() -> None:
    log = Log()
    refusals = refusals_in(log)
    for times in (3, 2):
        for _ in range(times):
            refusals.note("unknown")
            refusals.note("key_expired", account="acme", key_id="key-1")
        await refusals.write()
    told = await log.told()
    assert [entry.details for entry in told[EVERYONE]] == [{"unknown": "3"}, {"unknown": "2"}]
    assert [entry.details for entry in told["acme"]] == [
        {"key_expired key-1": "3"},
        {"key_expired key-1": "2"},
    ]


async def test_nothing_refused_writes_nothing() -> None:
    log = Log()
    await refusals_in(log).write()
    assert await log.told() == {}


async def test_a_caller_who_showed_a_key_is_told_to_its_account_alone() -> None:
    log = Log()
    refusals = refusals_in(log)
    refusals.note("key_expired", account="acme", key_id="key-1")
    refusals.note("key_expired", account="acme", key_id="key-2")
    refusals.note("key_expired", account="other", key_id="key-3")
    refusals.note("key_revoked", account="acme")
    await refusals.write()
    told = await log.told()
    assert set(told) == {"acme", "other"}
    assert [entry.details for entry in told["acme"]] == [
        {"key_expired key-1": "1", "key_expired key-2": "1", "key_revoked": "1"}
    ]


@pytest.mark.parametrize("rounds", [1, 3])
async def test_no_more_than_a_hundred_accounts_have_an_entry_and_the_rest_is_summed_up(
    rounds: int,
) -> None:
    """A flood through keys of many accounts is bounded too (T25)."""
    log = Log()
    refusals = refusals_in(log)
    for round_ in range(rounds):
        for number in range(1000):
            refusals.note("key_expired", account=f"a{number}", key_id=f"key-{number}")
        await refusals.write()
        entries = sum(map(len, (await log.told()).values()))
        assert entries == 101 * (round_ + 1)
    assert (await log.counts()) == {"key_expired": 1000 * rounds} == refusals.totals


async def test_an_entry_names_no_more_than_a_hundred_keys() -> None:
    log = Log()
    refusals = refusals_in(log)
    for number in range(1000):
        refusals.note("key_expired", account="acme", key_id=f"key-{number}")
    await refusals.write()
    ((entry,),) = (await log.told()).values()
    assert len(entry.details) == 101
    assert entry.details["key_expired"] == "900"
    assert await log.counts() == {"key_expired": 1000}


async def test_what_cannot_be_written_is_counted_on() -> None:
    log = Log(away={"acme", EVERYONE})
    refusals = refusals_in(log)
    for _ in range(3):
        refusals.note("key_expired", account="acme", key_id="key-1")
        refusals.note("key_expired", account="other", key_id="key-2")
        refusals.note("unknown")
        await refusals.write()
    told = await log.told()
    assert {who: len(entries) for who, entries in told.items()} == {"other": 3}
    log.away.clear()
    await refusals.write()
    told = await log.told()
    assert [entry.details for entry in told["acme"]] == [{"key_expired key-1": "3"}]
    assert [entry.details for entry in told[EVERYONE]] == [{"unknown": "3"}]
    assert await log.counts() == refusals.totals


async def test_an_outage_keeps_no_more_than_a_hundred_accounts() -> None:
    """Each write of an outage meets other accounts; none of their refusals is lost (T25)."""
    log = Log(all_away=True)
    refusals = refusals_in(log)

    def flood() -> None:
        for number in range(100):
            refusals.note("key_expired", account=f"a{next(rounds)}-{number}", key_id="key")

    rounds = count()
    flood()
    for _ in range(5):
        log.meanwhile = flood
        await refusals.write()
    log.all_away = False
    await refusals.write()
    told = await log.told()
    assert set(map(len, told.values())) == {1}
    assert len(told) == 101
    assert await log.counts() == refusals.totals == {"key_expired": 600}


async def test_an_outage_keeps_no_more_than_a_hundred_keys_of_an_account() -> None:
    """Each write of an outage meets other keys of the same account (T25)."""
    log = Log(all_away=True)
    refusals = refusals_in(log)

    def flood() -> None:
        for number in range(100):
            refusals.note("key_expired", account="acme", key_id=f"key{next(rounds)}-{number}")

    rounds = count()
    for _ in range(5):
        flood()
        log.meanwhile = flood
        await refusals.write()
    log.all_away = False
    await refusals.write()
    ((entry,),) = (await log.told()).values()
    assert len(entry.details) == 101
    assert await log.counts() == refusals.totals == {"key_expired": 1000}


async def test_a_flood_of_other_accounts_hides_no_tampered_key() -> None:
    log = Log()
    refusals = refusals_in(log)
    for number in range(100):
        refusals.note("key_expired", account=f"a{number}", key_id="key")
    refusals.note(TAMPERED, account="one-more", key_id="key-1")
    assert refusals.alarm.is_set()
    await refusals.write()
    (entry,) = (await log.told())[EVERYONE]
    assert (entry.action, entry.details) == ("key.tampered", {"tampered": "1"})


async def test_a_tampered_key_is_told_at_once_and_by_name() -> None:
    """Somebody should hear of it: it is an alarm (T5)."""
    log = Log()
    refusals = refusals_in(log)
    refusals.note("unknown")
    refusals.note("key_expired", account="acme", key_id="key-1")
    assert not refusals.alarm.is_set()
    refusals.note(TAMPERED, account="acme", key_id="key-1")
    assert refusals.alarm.is_set()
    await refusals.write()
    assert not refusals.alarm.is_set()
    (entry,) = (await log.told())["acme"]
    assert entry.action == "key.tampered"
    assert entry.details == {"key_expired key-1": "1", "tampered key-1": "1"}
    (entry,) = (await log.told())[EVERYONE]
    assert entry.action == "key.refused"
