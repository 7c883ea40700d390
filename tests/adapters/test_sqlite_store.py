"""The SQLite store keeps the store's contract, and its file keeps what was acknowledged."""

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from tests.adapters.sqlite_calls import LATER, NOW, books, call, grant, place
from tests.adapters.sqlite_stores import OnAFile
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.contracts.samples import an_api_key, an_audit_entry, usd
from tollkeeper.contracts.store import StoreContract
from tollkeeper.domain.api_keys import ApiKey, KeySecret
from tollkeeper.domain.errors import ConfigurationError, Unavailable
from tollkeeper.domain.key_tokens import Pepper, encode_kid, encode_token
from tollkeeper.domain.plans import Plan, Subscription
from tollkeeper.domain.rate_limits import RateLimit
from tollkeeper.ports.health import HealthCheck
from tollkeeper.ports.store import Store

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tollkeeper.db"


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


class TestSqliteStore(OnAFile, StoreContract):
    pass


async def test_restart_keeps_everything(path: Path) -> None:
    key = an_api_key("acme", at=NOW)
    audits = [an_audit_entry("acme", at=NOW) for _ in range(3)]
    plan = Plan("small", rate_limit=RateLimit(7, timedelta(seconds=90)), markup_bps=250)
    subscription = Subscription("acme", "small", NOW, LATER)
    async with SqliteStore(path) as store:
        await store.key_store.add(key, audit=audits[0])
        await store.plan_store.put(plan, audit=audits[1])
        await store.plan_store.subscribe(subscription, audit=audits[2])
        granted = await grant(store, usd(5))
        hold = await place(store, "open", usd(1))
        captured = await call(store, "captured")
        events = await store.usage_log.events(account="acme")
        totals = await store.usage_log.totals(account="acme")
    async with SqliteStore(path) as store:
        assert await store.key_store.find(key.secrets[0].kid) == key
        assert await store.plan_store.plans() == (plan,)
        assert await store.plan_store.plan_of("acme", at=NOW) == plan
        assert await store.audit_log.entries(account="acme") == tuple(audits)
        entries = await store.ledger.entries(account="acme", currency="USD")
        assert entries == (granted, captured)
        assert await books(store) == (usd("4.99"), usd(1))
        assert await place(store, "open", usd(1)) == hold
        assert await call(store, "captured") == captured
        assert await store.usage_log.events(account="acme") == events
        assert await store.usage_log.totals(account="acme") == totals


async def test_closed_store_says_so_and_opens_again(path: Path) -> None:
    store = SqliteStore(path)
    for count in (1, 2):
        for use in (
            lambda: grant(store, usd(1), "too early"),
            lambda: store.ledger.balance(account="acme", currency="USD"),
            lambda: store.ledger.entries(account="acme", currency="USD"),
            store.health,
        ):
            with pytest.raises(Unavailable, match="not open") as refused:
                await use()
            assert refused.value.code == "not_open"
        async with store:
            await grant(store, usd(1), str(count))
            assert await books(store) == (usd(count), usd(0))
            assert store.commits == count


async def test_store_that_is_open_is_not_opened_twice(path: Path) -> None:
    async with SqliteStore(path) as store:
        with pytest.raises(ConfigurationError, match="open already"):
            await store.__aenter__()
        await grant(store, usd(1))


async def test_closing_finishes_what_is_queued(path: Path) -> None:
    async with SqliteStore(path) as store:
        grants = [asyncio.ensure_future(grant(store, usd(1), str(n))) for n in range(200)]
        await asyncio.sleep(0)
    assert all(grant.done() for grant in grants)
    assert sorted(grant.result().sequence for grant in grants) == list(range(1, 201))
    async with SqliteStore(path) as store:
        assert await books(store) == (usd(200), usd(0))


async def test_closing_folds_the_log_into_the_file(path: Path) -> None:
    async with SqliteStore(path) as store:
        await grant(store, usd(1))
        assert path.with_name("tollkeeper.db-wal").stat().st_size > 0
    assert [file.name for file in path.parent.iterdir()] == ["tollkeeper.db"]


@pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 8])
async def test_cancelled_opening_leaves_nothing_open(path: Path, ticks: int) -> None:
    store = SqliteStore(path)
    opening = asyncio.ensure_future(store.__aenter__())
    for _ in range(ticks):
        await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    names = [thread.name for thread in threading.enumerate()]
    assert not any(name.startswith("tollkeeper-sqlite") for name in names)
    async with store:
        await grant(store, usd(1))


async def test_health_tells_the_versions(path: Path) -> None:
    async with SqliteStore(path) as store:
        assert isinstance(store, HealthCheck)
        assert isinstance(store, Store)
        assert (await store.health()).startswith("SQLite 3.")


async def test_several_event_loops_share_a_store(path: Path) -> None:
    async with SqliteStore(path) as store:

        async def many(name: str) -> None:
            await asyncio.gather(*(grant(store, usd(1), f"{name} {n}") for n in range(50)))
            assert (await store.ledger.balance(account="acme", currency="USD")).sequence >= 50

        threads = [threading.Thread(target=asyncio.run, args=(many(n),)) for n in "abc"]
        for thread in threads:
            thread.start()
        await many("here")
        for thread in threads:
            await asyncio.to_thread(thread.join)
        assert await books(store) == (usd(200), usd(0))


async def test_two_stores_of_one_process_share_a_file(path: Path) -> None:
    async with SqliteStore(path) as one, SqliteStore(path) as other:
        await asyncio.gather(
            *(grant(store, usd(1), f"{n}") for n in range(50) for store in (one, other))
        )
        assert await books(one) == await books(other) == (usd(50), usd(0))


async def test_token_is_nowhere_in_the_file(path: Path) -> None:
    secret, kid = bytes(range(100, 132)), encode_kid(bytes(range(10)))
    token = encode_token("tk_test", kid, secret)
    pepper = Pepper(b"p" * 32)
    key = ApiKey(
        id="key_1",
        account="acme",
        name="canary",
        scopes=frozenset({"chat:complete"}),
        prefix="tk_test",
        secrets=(KeySecret(kid, pepper.verifier(token), pepper.id, NOW),),
        created_at=NOW,
    )
    async with SqliteStore(path) as store:
        await store.key_store.add(key, audit=an_audit_entry("acme", at=NOW))
        await store.key_store.mark_used({"key_1": NOW})
        contents = [everything_in(path.parent)]
    contents.append(everything_in(path.parent))
    for content in contents:
        assert kid.encode() in content
        assert pepper.verifier(token) in content
        for canary in (token.encode(), token[-49:].encode(), secret, pepper.value):
            assert canary not in content
