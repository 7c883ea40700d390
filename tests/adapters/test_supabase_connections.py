"""Connections to a project: one loop's at a time, apart from one another, bounded, closed by us."""

import asyncio
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from postgrest import AsyncPostgrestClient

from tests.adapters.supabase_projects import project
from tests.servers.postgres import run_sql
from tests.servers.postgrest import PostgrestServer, postgrest_server
from tests.servers.postgrest_keys import Keys
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.store import SupabaseStore
from tollkeeper.contracts.samples import new_id, usd
from tollkeeper.domain.errors import (
    ConfigurationError,
    CredentialsRefused,
    InsufficientCredit,
    InvalidRequest,
    PermissionDenied,
    PortError,
    Unavailable,
)

__all__ = ["project"]
NOW = datetime(2001, 1, 1, tzinfo=UTC)
_SECRETS = """
CREATE TABLE IF NOT EXISTS secrets (owner text NOT NULL, text text NOT NULL);
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secrets TO authenticated
    USING (owner = auth.uid()) WITH CHECK (owner = auth.uid());
INSERT INTO secrets VALUES ('ann', 'hers'), ('bob', 'his');
"""


@pytest.fixture(scope="module")
def with_secrets(project: PostgrestServer) -> PostgrestServer:
    asyncio.run(run_sql(project.database, _SECRETS))
    return project


async def grant(store: SupabaseStore, account: str, key: str = "grant") -> None:
    await store.ledger.grant(
        account=account, amount=usd(1), idempotency_key=key, entry_id=new_id("entry"), at=NOW
    )


def test_a_store_serves_one_event_loop_after_another(project: PostgrestServer) -> None:
    store, account = SupabaseStore.from_url(project.store_url()), new_id("account")

    async def use(key: str) -> None:
        async with store:
            await asyncio.gather(*(grant(store, account, f"{key} {n}") for n in range(8)))
            await asyncio.gather(*(hold(store, account, f"{key} {n}") for n in range(8)))

    for key in ("first", "second"):
        asyncio.run(use(key))

    async def held() -> Any:
        async with store:
            return await store.ledger.balance(account=account, currency="USD")

    balance = asyncio.run(held())
    assert (balance.posted, balance.held) == (usd(16), usd(16))


async def hold(store: SupabaseStore, account: str, key: str) -> None:
    await store.ledger.place_hold(
        hold_id=new_id("hold"),
        account=account,
        amount=usd(1),
        purpose="a call",
        idempotency_key=key,
        expires_at=NOW + timedelta(days=1),
        at=NOW,
    )


@pytest.mark.anyio
async def test_another_loop_than_the_one_that_opened_it_is_refused(
    project: PostgrestServer,
) -> None:
    async with SupabaseStore.from_url(project.store_url()) as store:
        with pytest.raises(Unavailable, match="another event loop") as refused:
            await asyncio.to_thread(asyncio.run, store.plan_store.plans())
        assert refused.value.code == "not_open"
        assert await store.plan_store.plans() == ()


@pytest.mark.anyio
async def test_a_store_is_open_once_and_says_so_when_it_is_not(project: PostgrestServer) -> None:
    store = SupabaseStore.from_url(project.store_url())
    with pytest.raises(Unavailable, match="not open"):
        await store.plan_store.plans()
    async with store:
        with pytest.raises(ConfigurationError, match="open already"):
            await store.__aenter__()
        assert await store.plan_store.plans() == ()
    with pytest.raises(Unavailable, match="not open"):
        await hold(store, "account", "key")


@pytest.mark.anyio
async def test_closing_answers_those_who_wait(project: PostgrestServer) -> None:
    await run_sql(
        project.database,
        "CREATE OR REPLACE FUNCTION tollkeeper.nap() RETURNS void LANGUAGE sql SECURITY DEFINER "
        "AS 'SELECT pg_sleep(1)'",
        "GRANT EXECUTE ON FUNCTION tollkeeper.nap TO service_role",
    )
    url = project.store_url(options="pool_size=2")
    async with SupabaseConnections.from_url(url) as connections:
        waiting = [
            asyncio.create_task(connections.call("nap", {}, effect=Effect.READS)) for _ in range(6)
        ]
        await asyncio.sleep(0.2)
    async with asyncio.timeout(4):
        ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(one == [] or isinstance(one, PortError) for one in ended), ended
    assert any(isinstance(one, PortError) for one in ended)


@pytest.mark.anyio
async def test_two_stores_at_once_use_each_its_own_key(project: PostgrestServer) -> None:
    keys = Keys(jwt_secret="another", secret="sb_secret_other")
    with postgrest_server(project.database, keys=keys) as other:
        first = SupabaseStore.from_url(project.store_url(key=project.keys.secret))
        second = SupabaseStore.from_url(other.store_url(key=keys.secret))
        async with first, second:
            names = [new_id("account") for _ in range(40)]
            both = (first, second)
            await asyncio.gather(*(grant(both[n % 2], name) for n, name in enumerate(names)))
            # Each server refuses the other's key, so nothing has crossed.
            assert {one.role for one in other.seen} == {"service_role"}
            assert other.calls("grant_credit") == 20
            for n, name in enumerate(names):
                balance = await both[(n + 1) % 2].ledger.balance(account=name, currency="USD")
                assert balance.posted == usd(1)


@pytest.mark.anyio
async def test_several_stores_of_one_project_spend_exactly_the_credit(
    project: PostgrestServer,
) -> None:
    account = new_id("account")
    stores = [SupabaseStore.from_url(project.store_url(options="timeout=30")) for _ in range(4)]
    async with stores[0], stores[1], stores[2], stores[3]:
        for n in range(20):
            await grant(stores[0], account, str(n))
        # Each key twice, at two stores: a replay, which holds nothing more.
        calls = [hold(stores[n % 4], account, str(n // 2)) for n in range(80)]
        ended = await asyncio.gather(*calls, return_exceptions=True)
        refused = [one for one in ended if isinstance(one, InsufficientCredit)]
        assert [one for one in ended if one is not None and one not in refused] == []
        balance = await stores[0].ledger.balance(account=account, currency="USD")
        assert (balance.posted, balance.held) == (usd(20), usd(20))
        assert 40 - 20 <= len(refused) <= 40


@pytest.mark.anyio
async def test_a_users_caller_sees_what_the_user_may_and_leaves_the_service_alone(
    with_secrets: PostgrestServer,
) -> None:
    def texts(client: AsyncPostgrestClient) -> Any:
        return client.table("secrets").select("text").order("text")

    keys = with_secrets.keys
    async with SupabaseConnections.from_url(with_secrets.store_url()) as service:
        ann, bob = service.as_user(keys.user("ann")), service.as_user(keys.user("bob"))

        async def seen_by(caller: Any) -> list[str]:
            answer = await caller.ask(texts, effect=Effect.READS, schema="public")
            return [row["text"] for row in answer.rows]

        everybody = [(ann, ["hers"]), (bob, ["his"]), (service, ["hers", "his"])] * 10
        found = await asyncio.gather(*(seen_by(caller) for caller, _ in everybody))
        assert found == [expected for _, expected in everybody]
        with pytest.raises(PermissionDenied):
            await ann.call("all_plans", {}, effect=Effect.READS)
        with pytest.raises(CredentialsRefused):
            await seen_by(service.as_user(keys.user("ann", lives=-1)))
        assert await seen_by(service) == ["hers", "his"]


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["../auth/v1/admin", "a/b", "a?b=c", "", "rpc/x", "é", "a" * 64])
async def test_a_name_that_could_leave_its_place_is_never_sent(
    project: PostgrestServer, name: str
) -> None:
    async with SupabaseConnections.from_url(project.store_url()) as connections:
        before = len(project.seen)
        with pytest.raises(InvalidRequest):
            await connections.call(name, {}, effect=Effect.READS)
        if not name.startswith("rpc/"):
            with pytest.raises(InvalidRequest):
                await connections.ask(
                    lambda client: client.table(name).select("*"), effect=Effect.READS
                )
        assert len(project.seen) == before


@pytest.mark.anyio
async def test_opening_and_using_warns_of_nothing(project: PostgrestServer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with SupabaseStore.from_url(project.store_url()) as store:
            assert await store.plan_store.plans() == ()
