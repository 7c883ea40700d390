"""The PostgreSQL store keeps the store's contract."""

import asyncio

import pytest

from tests.adapters.postgres_databases import postgres_url as postgres_url
from tests.adapters.postgres_stores import InADatabase
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.contracts.store import StoreContract
from tollkeeper.domain.errors import Unavailable


class TestPostgresStore(InADatabase, StoreContract):
    pass


@pytest.mark.anyio
async def test_a_store_that_is_not_open_in_this_event_loop_says_so(postgres_url: str) -> None:
    store = PostgresStore.from_url(postgres_url)
    with pytest.raises(Unavailable) as closed:
        await store.plan_store.plans()
    async with store:
        with pytest.raises(Unavailable) as elsewhere:
            await asyncio.to_thread(asyncio.run, store.plan_store.plans())
        await store.plan_store.plans()
    assert closed.value.code == elsewhere.value.code == "not_open"
