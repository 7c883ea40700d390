"""What happens when answers are late, lost or cut off: nothing twice, everybody told in time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.adapters.supabase_projects import project, until_free
from tests.servers.postgrest import PostgrestServer
from tests.servers.tcp_proxy import Fault, TcpProxy, tcp_proxy
from tollkeeper.adapters.supabase.store import SupabaseStore
from tollkeeper.adapters.supabase.transport import DeadlineTransport
from tollkeeper.contracts.samples import a_usage_event, an_api_key, an_audit_entry, new_id, usd
from tollkeeper.domain.errors import PortError, TollkeeperError
from tollkeeper.domain.ledger import Entry, Hold
from tollkeeper.domain.money import Money

pytestmark = pytest.mark.anyio
__all__ = ["project"]
NOW = datetime(2001, 1, 1, tzinfo=UTC)
TIMEOUT = 1.0
CALLERS = 64
FAULTS = [Fault.RESET, Fault.SWALLOWED, Fault.DELAYED]


@pytest.fixture
async def proxy(project: PostgrestServer) -> AsyncIterator[TcpProxy]:
    async with tcp_proxy(project.port) as proxy:
        yield proxy


@asynccontextmanager
async def open_store(
    project: PostgrestServer, proxy: TcpProxy, options: str = ""
) -> AsyncIterator[SupabaseStore]:
    url = project.store_url(proxy.port, options=f"timeout={TIMEOUT}&pool_size=8&{options}")
    async with SupabaseStore.from_url(url) as store:
        yield store


class Account:
    """An account of a store, and what it asks for."""

    def __init__(self, store: SupabaseStore) -> None:
        self.ledger, self.log = store.ledger, store.usage_log
        self.name = new_id("account")

    async def grant(self, amount: Money, key: str = "grant") -> Entry:
        return await self.ledger.grant(
            account=self.name, amount=amount, idempotency_key=key, entry_id=new_id("entry"), at=NOW
        )

    async def place(self, key: str) -> Hold:
        return await self.ledger.place_hold(
            hold_id=f"{self.name} {key}",
            account=self.name,
            amount=usd(1),
            purpose="a call",
            idempotency_key=key,
            expires_at=NOW + timedelta(days=1),
            at=NOW,
        )

    async def charge(self, key: str) -> Entry:
        """Place a hold and capture it, with one event of usage."""
        hold = await self.place(key)
        event = a_usage_event(self.name, at=NOW, id=f"{self.name} {key}", charge=usd(1))
        return await self.ledger.capture(
            hold_id=hold.id, amount=usd(1), usage=[event], entry_id=new_id("entry"), at=NOW
        )

    async def books(self) -> tuple[Money, Money, int]:
        """What is posted, what is held, and how many events are logged."""
        balance = await self.ledger.balance(account=self.name, currency="USD")
        events = await self.log.events(account=self.name, limit=1000)
        return balance.posted, balance.held, len(events)


async def timed(call: Any) -> tuple[Any, float]:
    """Return what *call* returned or raised, and how many seconds it took."""
    began = time.monotonic()
    answer: Any
    try:
        answer = await call
    except Exception as error:
        answer = error
    return answer, time.monotonic() - began


async def until_whole(store: SupabaseStore) -> None:
    """Wait until the breaker lets callers through again."""
    async with asyncio.timeout(10):
        while True:
            try:
                await store.health()
                return
            except PortError:
                await asyncio.sleep(0.05)


def pool_of(store: SupabaseStore) -> list[Any]:
    """The connections that the client has open."""
    opened = store._connections._opened
    assert opened is not None
    transport = opened.http._transport
    assert isinstance(transport, DeadlineTransport)
    return transport.inner._pool.connections


@pytest.mark.soak
@pytest.mark.parametrize("options", ["", "group=off"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_no_charge_is_lost_or_doubled_and_everybody_is_told_in_time(
    project: PostgrestServer, proxy: TcpProxy, fault: Fault, options: str
) -> None:
    async with open_store(project, proxy, options) as store:
        account = Account(store)
        await account.grant(usd(CALLERS // 2))
        proxy.delay = 2 * TIMEOUT
        proxy.marker, proxy.fault, proxy.times = b"_hold", fault, 12
        ended = await asyncio.gather(*(timed(account.charge(str(n))) for n in range(CALLERS)))
        assert proxy.faults
        # Two steps, each with its deadline.
        assert max(seconds for _, seconds in ended) < 2 * TIMEOUT + 1
        assert all(isinstance(one, Entry | TollkeeperError) for one, _ in ended)
        acknowledged = {one.id for one, _ in ended if isinstance(one, Entry)}
        proxy.fault = Fault.NONE
        proxy.break_off()
        await until_whole(store)
        # Whoever does not know asks again by the same key, and whoever knows may too.
        again = [await timed(account.charge(str(n))) for n in range(CALLERS)]
        done = [one for one, _ in again if isinstance(one, Entry)]
        assert acknowledged <= {one.id for one in done}
        assert len(done) == len({one.id for one in done}) == CALLERS // 2
        assert await account.books() == (usd(0), usd(0), CALLERS // 2)
        await until_free(store._connections)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_change_whose_answer_is_lost_once_is_made_once(
    project: PostgrestServer, proxy: TcpProxy, fault: Fault
) -> None:
    async with open_store(project, proxy) as store:
        account = Account(store)
        proxy.marker, proxy.fault, proxy.times, proxy.delay = b"grant_credit", fault, 1, 1.5
        (answer, seconds) = await timed(account.grant(usd(5)))
        assert proxy.faults == 1
        assert seconds < TIMEOUT + 0.5
        if not isinstance(answer, Entry):
            assert isinstance(answer, PortError)
            assert answer.ambiguous
            answer = await account.grant(usd(5))
        assert answer.sequence == 1
        assert await account.books() == (usd(5), usd(0), 0)


async def test_a_change_that_may_be_done_is_not_made_again_by_us(
    project: PostgrestServer, proxy: TcpProxy
) -> None:
    async with open_store(project, proxy) as store:
        name = new_id("account")
        key = an_api_key(name, at=NOW)
        proxy.marker, proxy.fault, proxy.times = b"add_key", Fault.RESET, 1
        before = project.calls("add_key")
        with pytest.raises(PortError) as caught:
            await store.key_store.add(key, audit=an_audit_entry(name, at=NOW))
        assert caught.value.ambiguous
        assert project.calls("add_key") == before + 1
        assert await store.key_store.get(account=name, key_id=key.id) == key
        assert len(await store.audit_log.entries(account=name)) == 1


async def test_the_pool_is_bounded_and_whole_after_an_outage(
    project: PostgrestServer, proxy: TcpProxy
) -> None:
    async with open_store(project, proxy) as store:
        account = Account(store)
        await account.grant(usd(1))
        proxy.fault = Fault.SWALLOWED
        ended = await asyncio.gather(*(timed(account.books()) for _ in range(40)))
        assert all(isinstance(one, PortError) and one.retryable for one, _ in ended)
        assert max(seconds for _, seconds in ended) < TIMEOUT + 1
        assert proxy.links <= 8
        proxy.fault = Fault.NONE
        await until_whole(store)
        for _ in range(3):
            books = await asyncio.gather(*(account.books() for _ in range(8)))
            assert set(books) == {(usd(1), usd(0), 0)}
        await until_free(store._connections)
        assert len(pool_of(store)) <= 8
        assert all(connection.is_idle() for connection in pool_of(store))
    async with asyncio.timeout(5):
        while proxy.links:
            await asyncio.sleep(0.01)


async def test_callers_who_leave_do_not_hand_their_answers_to_others(
    project: PostgrestServer, proxy: TcpProxy
) -> None:
    async with open_store(project, proxy, "timeout=10") as store:
        accounts = [Account(store) for _ in range(8)]
        for n, account in enumerate(accounts, start=1):
            await account.grant(usd(n))

        async def ask(n: int) -> None:
            account = accounts[n % 8]
            books = await account.books()
            assert books == (usd(n % 8 + 1), usd(0), 0)

        tasks = [asyncio.create_task(ask(n)) for n in range(400)]
        for n, task in enumerate(tasks):
            if n % 4:
                await asyncio.sleep(0)
                task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        left = [one for one in ended if isinstance(one, asyncio.CancelledError)]
        assert len(left) >= 250
        assert [one for one in ended if one is not None and one not in left] == []
        await asyncio.gather(*(ask(n) for n in range(16)))
        await until_free(store._connections)
        assert all(connection.is_idle() for connection in pool_of(store))


async def test_an_outage_is_not_taken_for_absence(
    project: PostgrestServer, proxy: TcpProxy
) -> None:
    async with open_store(project, proxy) as store:
        name = new_id("account")
        proxy.fault = Fault.RESET
        for call in (
            store.key_store.find("kid"),
            store.key_store.get(account=name, key_id="key"),
            store.plan_store.plan_of(name, at=NOW),
            store.usage_log.events(account=name),
        ):
            with pytest.raises(PortError):
                await call
