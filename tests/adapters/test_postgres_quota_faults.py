"""A take of a quota whose answer got lost is counted once, and not sent again by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from tests.adapters.postgres_databases import postgres_url as postgres_url
from tests.servers.tcp_proxy import Fault, TcpProxy, tcp_proxy
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.errors import PortError, Timeout, Unavailable
from tollkeeper.domain.key_limits import Quota, QuotaPeriod

pytestmark = pytest.mark.anyio
NOW = datetime(2001, 1, 1, tzinfo=UTC)
QUOTA = Quota(10)


@asynccontextmanager
async def behind_a_proxy(url: str) -> AsyncIterator[tuple[PostgresStore, TcpProxy]]:
    """Open a store with one connection, through a proxy."""
    parts = urlsplit(url)
    assert parts.port is not None
    async with tcp_proxy(parts.port) as proxy:
        there = parts._replace(
            netloc=f"{parts.username}@127.0.0.1:{proxy.port}", query="timeout=0.5&pool_size=1"
        )
        async with PostgresStore.from_url(there.geturl()) as store:
            yield store, proxy


@pytest.mark.parametrize(
    ("fault", "kind"), [(Fault.SWALLOWED, Timeout), (Fault.RESET, Unavailable)]
)
async def test_a_take_whose_answer_is_lost_counts_once_and_is_ambiguous(
    postgres_url: str, fault: Fault, kind: type[PortError]
) -> None:
    key_id = new_id("key")
    async with behind_a_proxy(postgres_url) as (store, proxy):
        counter = store.quota_counter
        # The statement is known to the server by then: what follows is one question, one answer.
        assert await counter.take(new_id("key"), QUOTA, at=NOW)
        proxy.marker, proxy.fault, proxy.times = key_id.encode(), fault, 1
        with pytest.raises(kind) as lost:
            await counter.take(key_id, QUOTA, at=NOW, calls=3)
        assert lost.value.ambiguous
        assert proxy.faults == 1
        assert (await counter.used(key_id, QUOTA, at=NOW)).used == 3
        # Whoever takes again counts again: at most once too much for each lost answer.
        assert await counter.take(key_id, QUOTA, at=NOW, calls=3)
        assert (await counter.used(key_id, QUOTA, at=NOW)).used == 6
        assert not await counter.take(key_id, QUOTA, at=NOW, calls=5)


async def test_periods_that_are_over_for_long_are_forgotten(postgres_url: str) -> None:
    key_id, day = new_id("key"), Quota(10, QuotaPeriod.DAY)
    async with PostgresStore.from_url(postgres_url) as store:
        counter = store.quota_counter
        for month, kept in ((1, 1), (2, 1), (3, 1), (4, 0)):
            assert await counter.take(key_id, day, at=NOW.replace(month=month))
            assert (await counter.used(key_id, day, at=NOW)).used == kept
        assert (await counter.used(key_id, day, at=NOW.replace(month=3))).used == 1
