"""The database behind a project dies or hangs under load: nothing is lost, nothing doubled."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.adapters.supabase_projects import until_free
from tests.servers.postgres import PostgresServer, own_postgres
from tests.servers.postgrest import PostgrestServer, postgrest_server
from tests.servers.postgrest_database import project_database
from tollkeeper.adapters.supabase.store import SupabaseStore
from tollkeeper.contracts.samples import a_usage_event, new_id, usd
from tollkeeper.domain.errors import PortError
from tollkeeper.domain.ledger import Entry

NOW = datetime(2001, 1, 1, tzinfo=UTC)
TIMEOUT = 1.5
CALLERS = 64


@pytest.fixture
def database() -> Iterator[tuple[PostgresServer, PostgrestServer]]:
    """A server that writes to the disk, and a project on it."""
    with (
        own_postgres("fsync=on", "synchronous_commit=on") as server,
        project_database(server.url) as url,
        postgrest_server(url) as project,
    ):
        yield server, project


async def charge(store: SupabaseStore, name: str, key: str) -> Entry:
    hold = await store.ledger.place_hold(
        hold_id=f"{name} {key}",
        account=name,
        amount=usd(1),
        purpose="a call",
        idempotency_key=key,
        expires_at=NOW + timedelta(days=1),
        at=NOW,
    )
    event = a_usage_event(name, at=NOW, id=f"{name} {key}", charge=usd(1))
    return await store.ledger.capture(
        hold_id=hold.id, amount=usd(1), usage=[event], entry_id=new_id("entry"), at=NOW
    )


@pytest.mark.soak
@pytest.mark.anyio
@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_no_acknowledged_charge_is_lost_and_none_is_doubled(
    database: tuple[PostgresServer, PostgrestServer], how: str
) -> None:
    server, project = database
    url = project.store_url(options=f"timeout={TIMEOUT}")
    async with SupabaseStore.from_url(url) as store:
        name = new_id("account")
        await store.ledger.grant(
            account=name, amount=usd(5000), idempotency_key="g", entry_id="e", at=NOW
        )
        acknowledged: dict[str, str] = {}
        loop, failed, slowest = asyncio.get_running_loop(), 0, 0.0
        stop = loop.time() + 6

        async def work(n: int) -> None:
            nonlocal failed, slowest
            for m in range(20):
                if loop.time() > stop:
                    return
                began = loop.time()
                try:
                    entry = await charge(store, name, f"{n} {m}")
                    acknowledged[f"{n} {m}"] = entry.id
                except PortError:
                    failed += 1
                    await asyncio.sleep(0.05)
                slowest = max(slowest, loop.time() - began)

        async def damage() -> None:
            await asyncio.sleep(0.7)
            if how == "killed":
                await asyncio.to_thread(server.crash)
                await asyncio.sleep(0.5)
                await asyncio.to_thread(server.start)
            else:
                await asyncio.to_thread(server.freeze)
                await asyncio.sleep(2 * TIMEOUT)
                await asyncio.to_thread(server.thaw)

        await asyncio.gather(damage(), *(work(n) for n in range(CALLERS)))
        assert failed
        assert slowest < 2 * TIMEOUT + 1.5
        async with asyncio.timeout(20):
            while True:
                try:
                    await store.health()
                    break
                except PortError:
                    await asyncio.sleep(0.1)
        keys = list(acknowledged)
        for start in range(0, len(keys), CALLERS):
            some = keys[start : start + CALLERS]
            entries = await asyncio.gather(*(charge(store, name, key) for key in some))
            assert [entry.id for entry in entries] == [acknowledged[key] for key in some]
        await store.ledger.expire(at=NOW + timedelta(days=2))
        balance = await store.ledger.balance(account=name, currency="USD")
        events = await store.usage_log.events(account=name, limit=5000)
        assert balance.held == usd(0)
        assert usd(5000) - balance.posted == usd(len(events))
        assert len(acknowledged) <= len(events)
        await until_free(store._connections)
