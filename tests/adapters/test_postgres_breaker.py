"""When PostgreSQL fails: who is asked again, who waits how long, and when nobody is asked."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.adapters.postgres_charges import (
    CENT,
    HELD,
    NOW,
    assert_no_task_above,
    assert_whole,
    capture,
    grant,
    place,
)
from tests.adapters.postgres_databases import postgres_url
from tests.servers.tcp_proxy import Fault, TcpProxy, tcp_proxy
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.failures import translate
from tollkeeper.adapters.postgres.ledger import PostgresLedger
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.errors import (
    CorruptResponse,
    InsufficientCredit,
    PoolExhausted,
    PortError,
    Timeout,
    Unavailable,
)
from tollkeeper.domain.ledger import Hold

__all__ = ["postgres_url"]
pytestmark = pytest.mark.anyio
SLACK = 1.0


@asynccontextmanager
async def behind_a_proxy(
    postgres_url: str, options: str = "timeout=2"
) -> AsyncIterator[tuple[PostgresLedger, TcpProxy, PostgresConnections]]:
    parts = urlsplit(postgres_url)
    assert parts.port is not None
    async with tcp_proxy(parts.port) as proxy:
        url = parts._replace(netloc=f"postgres@127.0.0.1:{proxy.port}", query=options)
        async with PostgresConnections.from_url(url.geturl()) as connections:
            yield PostgresLedger(connections), proxy, connections


async def outcomes(ledger: PostgresLedger, callers: int, account: str) -> Counter[str]:
    """Let many look at a balance at once; count the codes of what they are told."""
    looking = (ledger.balance(account=account, currency="USD") for _ in range(callers))
    answers = await asyncio.gather(*looking, return_exceptions=True)
    return Counter(getattr(answer, "code", "answered") for answer in answers)


async def test_a_change_whose_answer_was_lost_is_made_again_and_only_once(
    postgres_url: str,
) -> None:
    account = new_id("account")
    async with behind_a_proxy(postgres_url) as (ledger, proxy, _):
        await grant(ledger, account=account)
        for lost in (1, 2, 3):
            proxy.fault, proxy.times = Fault.RESET, lost
            proxy.marker, proxy.faults = b"place_hold", 0
            hold = await place(ledger, f"key {lost}", account=account)
            assert proxy.faults == lost
        proxy.fault, proxy.times, proxy.marker = Fault.RESET, 2, b"capture_hold"
        await capture(ledger, hold)
        proxy.fault = Fault.NONE
        balance = await ledger.balance(account=account, currency="USD")
    assert balance.held.nanos == 2 * HELD.nanos
    assert (balance.sequence, balance.posted.nanos % HELD.nanos) == (2, CENT.nanos)


async def test_a_change_that_is_not_idempotent_is_not_made_again(postgres_url: str) -> None:
    """A second expiry would answer that nothing was overdue."""
    async with behind_a_proxy(postgres_url) as (ledger, proxy, _):
        proxy.fault, proxy.marker = Fault.RESET, b"expire_holds"
        with pytest.raises(Unavailable) as lost:
            await ledger.expire(at=NOW, account=new_id("account"))
        assert lost.value.ambiguous
        assert proxy.faults == 1


async def test_tries_are_few_and_end_before_the_deadline(postgres_url: str) -> None:
    async with behind_a_proxy(postgres_url) as (ledger, proxy, _):
        await ledger.balance(account="a", currency="USD")
        proxy.fault, proxy.marker = Fault.RESET, b"balance_of"
        began = time.monotonic()
        with pytest.raises(Unavailable) as lost:
            await ledger.balance(account="a", currency="USD")
        assert time.monotonic() - began < 2
        assert lost.value.code == "unavailable"
        assert proxy.faults == 4


async def test_what_was_never_sent_is_not_ambiguous(postgres_url: str) -> None:
    async with behind_a_proxy(postgres_url) as (ledger, proxy, _):
        proxy.upstream = 1
        with pytest.raises(Unavailable) as lost:
            await place(ledger, "key")
        assert not lost.value.ambiguous


async def test_the_circuit_opens_and_nobody_is_asked_then_one_probes_then_all_pass(
    postgres_url: str,
) -> None:
    account, callers = new_id("account"), 30
    async with behind_a_proxy(postgres_url, "timeout=3") as (ledger, proxy, _):
        there, proxy.upstream = proxy.upstream, 1
        assert (await outcomes(ledger, callers, account))["unavailable"] >= 5
        asked = proxy.served
        told = await outcomes(ledger, callers, account)
        assert (told, proxy.served) == ({"circuit_open": callers}, asked)
        with pytest.raises(Unavailable) as refused:
            await ledger.balance(account=account, currency="USD")
        wait = refused.value.retry_after
        assert wait is not None
        assert 0 < wait.total_seconds() <= 1

        await asyncio.sleep(wait.total_seconds() + 0.05)
        proxy.fault = Fault.DELAYED
        proxy.upstream, proxy.delay = there, 0.05
        told = await outcomes(ledger, callers, account)
        assert told == {"circuit_open": callers - 1, "answered": 1}, "one tries, the others wait"
        assert proxy.served == asked + 1
        proxy.fault = Fault.NONE
        assert await outcomes(ledger, callers, account) == {"answered": callers}


async def test_a_probe_that_is_cancelled_or_fails_leaves_the_way_to_the_next(
    postgres_url: str,
) -> None:
    async with behind_a_proxy(postgres_url, "timeout=3") as (ledger, proxy, _):
        there, proxy.upstream = proxy.upstream, 1
        await outcomes(ledger, 30, "a")
        await asyncio.sleep(1.05)
        assert (await outcomes(ledger, 5, "a"))["unavailable"] == 1
        assert await outcomes(ledger, 5, "a") == {"circuit_open": 5}, (
            "it failed, and all wait again"
        )

        await asyncio.sleep(1.05)
        proxy.upstream, proxy.fault = there, Fault.SWALLOWED
        probe = asyncio.create_task(ledger.balance(account="a", currency="USD"))
        await asyncio.sleep(0.1)
        probe.cancel()
        await asyncio.wait([probe])
        proxy.fault = Fault.NONE
        assert await outcomes(ledger, 1, "a") == {"answered": 1}


async def test_refusals_do_not_open_the_circuit(postgres_url: str) -> None:
    async with PostgresConnections.from_url(f"{postgres_url}?group=off") as connections:
        ledger = PostgresLedger(connections)
        for n in range(12):
            with pytest.raises(InsufficientCredit):
                await place(ledger, f"key {n}", account=new_id("account"))
        assert await outcomes(ledger, 12, "a") == {"answered": 12}


async def test_a_connection_that_the_server_has_ended_is_one_that_broke() -> None:
    """asyncpg calls it a fault of its own, and takes others' faults for the same."""
    ended = asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is …")
    for error, kind in ((ended, Unavailable), (asyncpg.InternalClientError("x"), CorruptResponse)):
        found = translate(error, sent=True)
        assert type(found) is kind
        assert isinstance(found, PortError)
        assert found.ambiguous


@asynccontextmanager
async def locked(url: str, account: str) -> AsyncIterator[None]:
    """Hold the account's balance, as a change that does not end would."""
    other = await asyncpg.connect(url)
    try:
        async with other.transaction():
            await other.execute(
                "SELECT 1 FROM tollkeeper.balances WHERE account = $1 FOR UPDATE", account
            )
            yield
    finally:
        await other.close()


@pytest.mark.parametrize("group", ["on", "off"])
async def test_waiting_for_a_connection_counts_against_the_deadline(
    postgres_url: str, group: str
) -> None:
    account, timeout, tasks = new_id("account"), 0.6, asyncio.all_tasks()
    url = f"{postgres_url}?timeout={timeout}&pool_size=2&group={group}"
    async with PostgresConnections.from_url(url) as connections:
        ledger = PostgresLedger(connections)
        await grant(ledger, account=account)

        async def late(n: int) -> tuple[BaseException, float]:
            began = time.monotonic()
            with pytest.raises(PortError) as ended:
                await place(ledger, f"key {n}", account=account)
            return ended.value, time.monotonic() - began

        async with locked(postgres_url, account):
            ends = await asyncio.gather(*(late(n) for n in range(20)))
        assert max(seconds for _, seconds in ends) < timeout + SLACK
        kinds = Counter(type(error) for error, _ in ends)
        if group == "off":
            assert kinds.keys() == {Timeout, PoolExhausted}, "who got no connection hears so"
        else:
            assert kinds == {Timeout: 20}
        doubtful = [error for error, _ in ends if isinstance(error, PortError) and error.ambiguous]
        assert doubtful, "what was sent may have been done"
        assert not any(isinstance(error, PoolExhausted) for error in doubtful)

        # A queue is no outage: the circuit is closed. What timed out may not have been placed;
        # asked again, it is, once.
        again = await asyncio.gather(
            *(place(ledger, f"key {n}", account=account) for n in range(20))
        )
        assert all(isinstance(hold, Hold) for hold in again)
        balance = await ledger.balance(account=account, currency="USD")
        assert balance.held.nanos == 20 * HELD.nanos
        await assert_whole(connections, postgres_url)
    await assert_no_task_above(tasks)
