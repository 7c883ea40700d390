"""Hosts that share a PostgreSQL and a Redis: they act as one, and start without what may fail."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.application.world import EVERYTHING, settings_in
from tests.servers.postgres import empty_database, migrated_database
from tests.servers.postgrest import PostgrestServer
from tests.servers.redis_server import free_port, redis_server
from tollkeeper import (
    Kind,
    Money,
    Plan,
    Principal,
    Settings,
    Table,
    Tollkeeper,
    open_tollkeeper,
    user,
)
from tollkeeper.domain.errors import (
    ConfigurationError,
    InsufficientCredit,
    InvalidRequest,
    PortError,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from tollkeeper.domain.rate_limits import RateLimit

pytestmark = pytest.mark.anyio
ACME = Principal(account="acme", scopes=EVERYTHING)


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of a database with the whole schema."""
    with migrated_database() as url:
        yield url


@pytest.fixture
def empty() -> Iterator[str]:
    """The URL of a database without a table."""
    with empty_database() as url:
        yield url


@pytest.fixture
def shared(tmp_path: Path, database: str) -> Iterator[Settings]:
    """Settings of any number of hosts: one database, one Redis."""
    with redis_server() as redis:
        yield settings_in(tmp_path, store=database, cache=redis.url, rate_limiter=redis.url)


async def _grant(tk: Tollkeeper, amount: str) -> None:
    money = Money.of(amount, "USD")
    await tk.grant_credit(account="acme", amount=money, idempotency_key="welcome")


async def _ask(tk: Tollkeeper, text: str, key: str | None = None) -> str:
    answer = await tk.complete(
        ACME, model="offline/echo", messages=[user(text)], idempotency_key=key
    )
    return answer.text


async def _loaded() -> bytes:
    return b"loaded"


async def test_a_key_of_one_host_is_a_key_of_all_until_it_is_revoked(shared: Settings) -> None:
    async with open_tollkeeper(shared) as first, open_tollkeeper(shared) as second:
        issued = await first.issue_key(account="acme", scopes=EVERYTHING)
        assert (await second.authenticate_key(issued.token)).account == "acme"
        await second.revoke_key(account="acme", key_id=issued.key.id)
        for tk in (first, second):
            with pytest.raises(Unauthenticated):
                await tk.authenticate_key(issued.token)


async def test_two_hosts_spend_exactly_the_credit(shared: Settings) -> None:
    async with open_tollkeeper(shared) as first, open_tollkeeper(shared) as second:
        await _grant(first, "0.20")
        refused = 0

        async def call(number: int) -> None:
            nonlocal refused
            try:
                await _ask((first, second)[number % 2], f"number {number}")
            except InsufficientCredit:
                refused += 1

        await asyncio.gather(*(call(number) for number in range(60)))
        assert refused == 40
        for tk in (first, second):
            [balance] = (await tk.report_usage(account="acme")).balances
            assert (balance.posted.amount, balance.held.amount) == ("0.00", "0.00")


async def test_an_answer_is_replayed_by_another_host_and_paid_once(shared: Settings) -> None:
    async with open_tollkeeper(shared) as first, open_tollkeeper(shared) as second:
        await _grant(first, "1.00")
        said = await _ask(first, "hello", key="once")
        assert await _ask(second, "hello", key="once") == said
        [balance] = (await second.report_usage(account="acme")).balances
        assert balance.posted.amount == "0.99"


async def test_a_limit_of_the_plan_counts_the_calls_of_all_hosts(shared: Settings) -> None:
    async with open_tollkeeper(shared) as first, open_tollkeeper(shared) as second:
        await _grant(first, "1.00")
        limit = RateLimit(4, timedelta(hours=1))
        await first.define_plan(Plan("small", rate_limit=limit))
        await first.subscribe_account(account="acme", plan="small")
        for number in range(4):
            await _ask((first, second)[number % 2], "hello")
        for tk in (first, second):
            with pytest.raises(RateLimited) as caught:
                await _ask(tk, "hello")
            assert caught.value.retry_after is not None


async def test_a_host_starts_while_redis_is_away_and_says_so(tmp_path: Path, database: str) -> None:
    port = free_port()
    away = f"redis://127.0.0.1:{port}?timeout=0.5"
    settings = settings_in(tmp_path, store=database, cache=away, rate_limiter=away)
    async with open_tollkeeper(settings) as tk:
        await _grant(tk, "1.00")
        health = await tk.check_health()
        assert health.ready
        assert {part.part for part in health.failing} == {"cache", "rate_limiter"}
        assert all("redis" in part.says.lower() for part in health.failing)
        assert await _ask(tk, "without a limit nobody counts, and answers are not kept")
        loaded = await tk.cache.get_or_load("page", _loaded, ttl=timedelta(minutes=1))
        assert loaded == b"loaded"
        await tk.define_plan(Plan("small", rate_limit=RateLimit(4, timedelta(hours=1))))
        await tk.subscribe_account(account="acme", plan="small")
        with pytest.raises(Unavailable):
            await _ask(tk, "a limit that nobody can count is not waved through")

        with redis_server(port=port):  # it comes: the same facade is whole
            for _ in range(100):
                if not (await tk.check_health()).failing:
                    break
                await asyncio.sleep(0.1)
            assert not (await tk.check_health()).failing
            said = await _ask(tk, "hello", key="once")
            assert await _ask(tk, "hello", key="once") == said


async def test_a_database_that_is_away_or_empty_is_an_error_at_the_start(
    tmp_path: Path, empty: str
) -> None:
    nowhere = f"postgresql://postgres@127.0.0.1:{free_port()}/tollkeeper"
    with pytest.raises(Unavailable):
        async with open_tollkeeper(settings_in(tmp_path, store=nowhere)):
            pass
    with pytest.raises(ConfigurationError, match="tollkeeper migrate"):
        async with open_tollkeeper(settings_in(tmp_path, store=empty)):
            pass


@pytest.mark.parametrize("tables", ["postgresql", "supabase"])
async def test_a_host_starts_while_everything_but_its_store_is_away(
    tmp_path: Path, tables: str
) -> None:
    where = f"127.0.0.1:{free_port()}"
    urls = {
        "cache": f"redis+cluster://{where}",
        "rate_limiter": f"redis+sentinel://{where}/mymaster/0",
        "lock": f"redis://{where}",
        "event_log": f"redis://{where}",
        "broadcast": f"redis://{where}",
        "tables": f"postgresql://user@{where}/database",
    }
    if tables == "supabase":
        urls["tables"] = PostgrestServer("").store_url(int(where.rpartition(":")[2]))
    async with open_tollkeeper(settings_in(tmp_path, **urls)) as tk:
        health = await tk.check_health()
        assert health.ready
        assert {part.part for part in health.failing} == {*urls}
        assert all(part.says for part in health.failing)
        for wrong in (timedelta(0), 5):
            with pytest.raises(InvalidRequest):
                await tk.check_health(timeout=wrong)  # type: ignore[arg-type]
        await _grant(tk, "1.00")
        assert await _ask(tk, "all the same")
        with pytest.raises(PortError):
            await tk.tables.select(Table("words", {"id": Kind.INTEGER}, key="id"))
        with pytest.raises(PortError):
            await tk.events.append("answer", b"one")
        with pytest.raises(PortError):
            await tk.broadcast.publish("profiles", b"user-7")
        with pytest.raises(PortError):
            async with tk.locks.hold("report"):
                pytest.fail("nobody can tell who holds it")
