"""Nothing is left out silently where a project returns fewer rows than were asked for."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.adapters.supabase_projects import InAProject
from tests.adapters.supabase_projects import small_project as project
from tests.servers.postgres import run_sql
from tests.servers.postgrest import PostgrestServer
from tollkeeper.adapters.supabase.store import SupabaseStore
from tollkeeper.contracts.samples import (
    a_usage_event,
    an_api_key,
    an_attempt,
    an_audit_entry,
    new_id,
    usd,
)
from tollkeeper.domain.errors import NotFound, Rejected
from tollkeeper.domain.ledger import Hold

__all__ = ["project"]
NOW = datetime(2001, 1, 1, tzinfo=UTC)
MANY = 300
MANY_OF_EACH = """
SET search_path TO tollkeeper;
INSERT INTO api_keys (id, account, name, scopes, prefix, created_at, version)
SELECT 'many ' || n, 'many', 'a key', '{}', 'tk', '2001-01-01', 1
FROM generate_series(1001, 1200) AS n;
INSERT INTO data_keys (id, account, algorithm, kek_id, wrapped, commitment, state, created_at,
    version)
SELECT 'many_' || n, 'many', 1, 'k', 'w', '0123456789abcdef', 'readable', '2001-01-01', 1
FROM generate_series(1001, 1200) AS n;
INSERT INTO credentials (id, account, provider, base_url, label, sealed, data_key_id, created_at,
    version)
SELECT 'many_' || n, 'many', 'openai', 'u', 'label ' || n, 's', 'many_1001', '2001-01-01', 1
FROM generate_series(1001, 1200) AS n;
INSERT INTO audit_entries (account, sequence, id, at, actor, action, subject, details)
SELECT 'many ' || n, 1, 'many ' || n, '2001-01-01', 'a', 'b', 'c', '{}'
FROM generate_series(1001, 1200) AS n;
"""


def later(n: int) -> datetime:
    return NOW + timedelta(seconds=n)


@pytest.mark.anyio
class TestSmallAnswers(InAProject):
    options = "max_rows=128"

    async def test_events_come_in_as_many_pages_as_it_takes(
        self, store: SupabaseStore, project: PostgrestServer
    ) -> None:
        name = new_id("account")
        events = [a_usage_event(name, at=later(n // 2)) for n in range(MANY)]
        events.sort(key=lambda event: (event.occurred_at, event.id))
        await store.usage_log.record(events)
        log = store.usage_log
        for limit, requests in ((MANY + 1, 3), (MANY, 3), (128, 1), (129, 2), (1, 1), (0, 1)):
            before = project.calls("usage_page")
            assert await log.events(account=name, limit=limit) == tuple(events[:limit])
            assert project.calls("usage_page") == before + requests
        assert await log.events(account=name, limit=500, after=events[9].id) == tuple(events[10:])
        with pytest.raises(NotFound):
            await log.events(account=name, limit=0, after="nothing")

    async def test_attempts_keys_and_audits_do_too(self, store: SupabaseStore) -> None:
        name = new_id("account")
        attempts = [an_attempt(name, at=later(n)) for n in range(MANY)]
        await store.attempt_log.record(attempts)
        assert await store.attempt_log.attempts(account=name, limit=MANY) == tuple(attempts)
        keys = [an_api_key(name, at=later(n)) for n in range(135)]
        audits = [an_audit_entry(name, at=NOW) for _ in keys]
        added = (
            store.key_store.add(key, audit=audit) for key, audit in zip(keys, audits, strict=True)
        )
        await asyncio.gather(*added)
        assert await store.key_store.list(account=name, limit=1000) == tuple(keys)
        entries = await store.audit_log.entries(account=name, limit=1000)
        assert sorted(entry.id for entry in entries) == sorted(audit.id for audit in audits)

    async def test_keys_data_keys_and_credentials_of_all_do_too(
        self, store: SupabaseStore, project: PostgrestServer
    ) -> None:
        await run_sql(project.database, MANY_OF_EACH)
        keys = await store.key_store.page(after="many ", limit=MANY)
        assert [key.id for key in keys][:2] == ["many 1001", "many 1002"]
        assert len(keys) >= 200
        data_keys = await store.data_key_store.page(after="many_", limit=200)
        assert [key.id for key in data_keys] == [f"many_{n}" for n in range(1001, 1201)]
        assert await store.data_key_store.of_account("many") == data_keys
        credentials = await store.credential_store.list(account="many", limit=MANY)
        assert [each.id for each in credentials] == [f"many_{n}" for n in range(1001, 1201)]
        assert await store.credential_store.encrypted_with("many_1001", limit=MANY) == credentials
        accounts = await store.audit_log.accounts(after="many ", limit=200)
        assert accounts == tuple(f"many {n}" for n in range(1001, 1201))

    async def test_all_plans_are_returned_by_name(
        self, store: SupabaseStore, project: PostgrestServer
    ) -> None:
        # Databases sort these otherwise than by code point, if they have a language.
        names = [f"{letter}-{n}" for n in range(70) for letter in ("a", "B", "c", "Z")]
        values = ", ".join(f"('{name}', '{{}}', '{{}}', 0)" for name in names)
        await run_sql(
            project.database,
            f"INSERT INTO tollkeeper.plans (name, operations, models, markup_bps) VALUES {values}",
        )
        assert [plan.name for plan in await store.plan_store.plans()] == sorted(names)

    async def test_entries_and_expired_holds_do_too(self, store: SupabaseStore) -> None:
        name = new_id("account")
        await store.ledger.grant(
            account=name, amount=usd(500), idempotency_key="", entry_id=new_id("entry"), at=NOW
        )

        async def hold(n: int) -> Hold:
            return await store.ledger.place_hold(
                hold_id=f"{name} {n}",
                account=name,
                amount=usd(1),
                purpose="",
                idempotency_key=str(n),
                expires_at=later(n + 1),
                at=NOW,
            )

        await asyncio.gather(*(hold(n) for n in range(140)))
        first = await store.ledger.expire(at=later(1000), account=name)
        second = await store.ledger.expire(at=later(1000), account=name)
        assert [hold.id for hold in (*first, *second)] == [f"{name} {n}" for n in range(140)]
        assert (await store.ledger.expire(at=later(1000), account=name)) == ()
        captures = (
            store.ledger.capture(
                hold_id=hold.id, amount=usd(1), usage=[], entry_id=f"entry {hold.id}", at=NOW
            )
            for hold in (*first, *second)
        )
        await asyncio.gather(*captures)
        entries = await store.ledger.entries(account=name, currency="USD", limit=1000)
        assert [entry.sequence for entry in entries] == list(range(1, 142))
        balance = await store.ledger.balance(account=name, currency="USD")
        assert (balance.posted, balance.held) == (usd(360), usd(0))

    async def test_sums_that_are_too_many_are_an_error_rather_than_too_small(
        self, store: SupabaseStore
    ) -> None:
        name = new_id("account")
        events = [a_usage_event(name, at=NOW, model=f"a/{n}") for n in range(129)]
        await store.usage_log.record(events[:128])
        assert len(await store.usage_log.totals(account=name)) == 128
        await store.usage_log.record(events)
        with pytest.raises(Rejected) as caught:
            await store.usage_log.totals(account=name)
        assert caught.value.code == "rows_left_out"
