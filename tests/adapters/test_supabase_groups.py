"""Changes that wait at once share a request, and nobody's refusal is another's."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.adapters.supabase_projects import InAProject, project
from tests.servers.postgrest import PostgrestServer
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.adapters.supabase.store import SupabaseStore
from tollkeeper.contracts.samples import a_usage_event, an_attempt, new_id, usd
from tollkeeper.domain.errors import IdempotencyConflict, InvalidRequest, TollkeeperError
from tollkeeper.domain.ledger import Hold
from tollkeeper.ports.ledger import Ledger

__all__ = ["project"]
NOW = datetime(2001, 1, 1, tzinfo=UTC)
CALLERS = 100


async def grant(ledger: Ledger, account: str, dollars: int) -> None:
    await ledger.grant(
        account=account,
        amount=usd(dollars),
        idempotency_key="grant",
        entry_id=new_id("entry"),
        at=NOW,
    )


async def place(ledger: Ledger, account: str, key: str, purpose: str = "a call") -> Hold:
    return await ledger.place_hold(
        hold_id=f"{account} {key}",
        account=account,
        amount=usd(1),
        purpose=purpose,
        idempotency_key=key,
        expires_at=NOW + timedelta(days=1),
        at=NOW,
    )


async def capture(ledger: Ledger, account: str, key: str, event: str) -> Any:
    return await ledger.capture(
        hold_id=f"{account} {key}",
        amount=usd(1),
        usage=[a_usage_event(account, at=NOW, id=event, charge=usd(1))],
        attempts=[an_attempt(account, at=NOW)],
        entry_id=new_id("entry"),
        at=NOW,
    )


@pytest.mark.anyio
class TestGroups(InAProject):
    options = "timeout=30"

    async def test_many_callers_take_few_requests(
        self, store: SupabaseStore, project: PostgrestServer
    ) -> None:
        ledger, name = store.ledger, new_id("account")
        await grant(ledger, name, CALLERS)
        before, calls = ledger.requests, len(project.seen)
        keys = [str(n) for n in range(CALLERS)]
        await asyncio.gather(*(place(ledger, name, key) for key in keys))
        await asyncio.gather(*(capture(ledger, name, key, f"{name} {key}") for key in keys))
        assert ledger.requests - before == len(project.seen) - calls == 2
        balance = await ledger.balance(account=name, currency="USD")
        assert (balance.posted, balance.held, balance.sequence) == (usd(0), usd(0), CALLERS + 1)
        assert len(await store.attempt_log.attempts(account=name, limit=1000)) == CALLERS

    async def test_what_cannot_be_stored_fails_alone(self, store: SupabaseStore) -> None:
        ledger, name = store.ledger, new_id("account")
        await grant(ledger, name, CALLERS)
        bad = {7: "a \0 byte", 60: "half a \ud83d pair"}
        holds = (place(ledger, name, str(n), bad.get(n, "a call")) for n in range(CALLERS))
        ended = await asyncio.gather(*holds, return_exceptions=True)
        assert {n for n, one in enumerate(ended) if isinstance(one, InvalidRequest)} == set(bad)
        assert sum(isinstance(one, Hold) for one in ended) == CALLERS - len(bad)
        balance = await ledger.balance(account=name, currency="USD")
        assert balance.held == usd(CALLERS - len(bad))

    async def test_a_refused_capture_undoes_no_others(self, store: SupabaseStore) -> None:
        ledger, name = store.ledger, new_id("account")
        await grant(ledger, name, CALLERS)
        await asyncio.gather(*(place(ledger, name, str(n)) for n in range(CALLERS)))
        # The events of two captures bear one id: one of them is logged, the other refused.
        events = [f"{name} {0 if n == 50 else n}" for n in range(CALLERS)]
        captures = (capture(ledger, name, str(n), event) for n, event in enumerate(events))
        ended = await asyncio.gather(*captures, return_exceptions=True)
        refused = [one for one in ended if isinstance(one, TollkeeperError)]
        assert [type(one) for one in refused] == [IdempotencyConflict]
        balance = await ledger.balance(account=name, currency="USD")
        assert (balance.posted, balance.held) == (usd(1), usd(1))

    async def test_who_leaves_a_batch_disturbs_nobody(self, store: SupabaseStore) -> None:
        ledger, name = store.ledger, new_id("account")
        await grant(ledger, name, CALLERS)
        tasks = [asyncio.create_task(place(ledger, name, str(n))) for n in range(CALLERS)]
        await asyncio.sleep(0.001)
        for task in tasks[::3]:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for n, one in enumerate(ended):
            left = isinstance(one, asyncio.CancelledError)
            assert left or (isinstance(one, Hold) and one.idempotency_key == str(n))
            assert not left or n % 3 == 0
        again = await asyncio.gather(*(place(ledger, name, str(n)) for n in range(CALLERS)))
        assert [hold.idempotency_key for hold in again] == [str(n) for n in range(CALLERS)]
        balance = await ledger.balance(account=name, currency="USD")
        assert balance.held == usd(CALLERS)

    async def test_stores_that_come_by_sql_and_by_rest_are_one(
        self, store: SupabaseStore, project: PostgrestServer
    ) -> None:
        name = new_id("account")
        async with PostgresStore.from_url(project.database) as direct:
            await grant(store.ledger, name, 10)
            await grant(direct.ledger, name, 10)
            both: list[Ledger] = [store.ledger, direct.ledger]
            holds = (place(both[n % 2], name, str(n // 2)) for n in range(20))
            placed = await asyncio.gather(*holds)
            assert [hold.idempotency_key for hold in placed] == [str(n // 2) for n in range(20)]
            # Each hold is captured by the one that did not place it, maybe, and by both.
            captures = (
                capture(both[n % 2], name, str(n // 2), f"{name} {n // 2}") for n in range(20)
            )
            entries = await asyncio.gather(*captures)
            assert len({entry.id for entry in entries}) == 10
            for ledger in both:
                balance = await ledger.balance(account=name, currency="USD")
                assert (balance.posted, balance.held) == (usd(0), usd(0))
                listed = await ledger.entries(account=name, currency="USD")
                assert listed == await store.ledger.entries(account=name, currency="USD")
            events = await direct.usage_log.events(account=name)
            assert events == await store.usage_log.events(account=name)
            assert len(events) == 10
